// Who is let in: addresses behind proxies, names of the host, and how often a wrong key may be tried.
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { startCollector } from "../src/index.js";
import { senderOf } from "../src/proxies.js";
import { counter, counterPoint, metricsBody } from "./support/otlp.js";
import { command, post, withCollector } from "./support/run.js";

const GOOD = metricsBody([counter([counterPoint("1", { "error.type": "timeout" })])]);

/** How many of 40 requests at once are answered with this status. */
async function among40(status: number, send: (index: number) => Promise<Response>): Promise<number> {
  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => send(index)));
  return answers.filter((one) => one.status === status).length;
}

describe("proxies", () => {
  const forwarded = (text: string) => ({ "x-forwarded-for": text });

  it.each<[string, number | string[]]>([
    ["a number of proxies", 1],
    ["their addresses", ["127.0.0.0/8", "::1"]],
  ])("with %s an invented address passes no limit", async (_name, trustProxy) => {
    await withCollector({ rate: 1, trustProxy }, async ({ url }) => {
      // The proxy adds the sender's address after what the sender invented.
      const send = (address: (index: number) => string) => (index: number) =>
        post(`${url}/v1/metrics`, GOOD, forwarded(address(index)));
      expect(
        await among40(
          200,
          send((index) => `10.9.9.${index}, 192.0.2.1`),
        ),
      ).toBeLessThan(30);
      expect(
        await among40(
          200,
          send((index) => `192.0.2.1, 198.51.100.${index}`),
        ),
      ).toBe(40);
    });
  });

  it("without the option the header is not read", async () => {
    await withCollector({ rate: 1 }, async ({ url }) => {
      expect(
        await among40(200, (index) => post(`${url}/v1/metrics`, GOOD, forwarded(`192.0.2.${index}`))),
      ).toBeLessThan(30);
    });
  });

  it.each<[unknown]>([[true], [0], [99], [[]], [["everyone"]], [["0.0.0.0/0"]], [["::/0"]]])(
    "%j is refused, with what to write",
    async (trustProxy) => {
      const options = { port: 0, data: ":memory:", trustProxy: trustProxy as number };
      await expect(startCollector(options)).rejects.toThrow(/trustProxy cannot be .*how many proxies/);
    },
  );

  it("the command refuses --trust-proxy alone", () => {
    const { status, stderr } = command("--trust-proxy", "--port", "0", "--data", ":memory:");
    expect(status).toBe(1);
    expect(stderr).toContain("Write how many proxies are in front (1), or their addresses");
  });

  it("IPv6 senders are one by the first 64 bits, IPv4 in IPv6 is IPv4", () => {
    expect(senderOf("2001:db8:1:2:3:4:5:6")).toBe(senderOf("2001:db8:1:2::1"));
    expect(senderOf("2001:db8:1:3::1")).not.toBe(senderOf("2001:db8:1:2::1"));
    expect(senderOf("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(senderOf("fe80::1%eth0")).toBe("fe80::");
  });

  it("a port or a zone makes no other sender, and neither does what is no address", () => {
    expect(senderOf("192.0.2.1:4711")).toBe("192.0.2.1");
    expect(senderOf("192.0.2.1%1")).toBe("192.0.2.1");
    expect(senderOf("[2001:db8:1:2::1]:4711")).toBe(senderOf("2001:db8:1:2::9"));
    expect(senderOf("junk1")).toBe(senderOf("junk2:80"));
    expect(senderOf("not an address")).toBe("not an address");
  });
});

describe("who guesses", () => {
  it("a write key is limited by address", async () => {
    await withCollector({ writeKey: "k", rate: 1 }, async ({ url }) => {
      const send = (index: number) => post(`${url}/v1/metrics`, GOOD, { "x-insitu-key": `guess${index}` });
      const wrong = await among40(401, send);
      expect(wrong).toBeGreaterThan(0);
      expect(wrong).toBeLessThan(30);
    });
  });

  it("a read token is limited by address, and so is who reads", async () => {
    await withCollector({ readToken: "t" }, async ({ url }) => {
      const read = (token: string, path: string) =>
        fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
      const wrong = [...Array(4).keys()].map((round) =>
        among40(429, (index) => read(`${round}-${index}`, index % 2 ? "/metrics" : "/v1/report")),
      );
      expect((await Promise.all(wrong)).reduce((sum, one) => sum + one, 0)).toBeGreaterThan(0);
      expect((await read("t", "/metrics")).status).toBe(429);
      // Health is no secret, and an orchestrator asks often.
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
    });
  });
});

function statusUnder(url: string, host: string, path = "/metrics"): Promise<{ status?: number; text: string }> {
  return new Promise((resolve, reject) => {
    request(`${url}${path}`, { headers: { host } }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, text });
    })
      .on("error", reject)
      .end();
  });
}

describe("names of the host", () => {
  it.each([
    ["localhost", 200],
    ["LOCALHOST:4318", 200],
    ["shop.localhost:4318", 200],
    ["127.0.0.1:4318", 200],
    ["10.1.2.3", 200],
    ["[::1]:4318", 200],
    ["collector:4318", 200],
    ["collector.", 200],
    ["evil.example", 403],
    ["evil.example:4318", 403],
    ["localhost.evil.example", 403],
    ["127.0.0.1.evil.example", 403],
    ["evil.example@localhost", 403],
    ["xcollector", 403],
  ])("without a token %s is answered with %i", async (host, status) => {
    await withCollector({ allowHosts: ["Collector"] }, async ({ url }) => {
      expect((await statusUnder(url, host)).status).toBe(status);
      expect((await statusUnder(url, host, "/v1/report")).status).toBe(status);
    });
  });

  it("says which option is missing; health is answered under any name, and so is who writes", async () => {
    await withCollector({}, async ({ url }) => {
      const { text } = await statusUnder(url, "evil.example:80");
      expect(JSON.parse(text).message).toContain("--allow-host evil.example, or with --read-token");
      expect((await statusUnder(url, "evil.example", "/healthz")).status).toBe(200);
      expect((await post(`${url}/v1/metrics`, GOOD, { "x-forwarded-host": "evil.example" })).status).toBe(200);
    });
  });

  it("with a token every name is answered", async () => {
    await withCollector({ readToken: "t" }, async ({ url }) => {
      expect((await statusUnder(url, "evil.example")).status).toBe(401);
    });
  });

  it.each(["http://x", "x:80", "", "a b"])("%j is no name", async (name) => {
    await expect(startCollector({ port: 0, data: ":memory:", allowHosts: [name] })).rejects.toThrow(
      "is not a host name",
    );
  });
});

describe("an empty key or token, as of a variable that is not set", () => {
  it.each([{ readToken: "" }, { writeKey: "" }, { writeKeys: [{ key: "" }] }])("%j is refused", async (options) => {
    await expect(startCollector({ port: 0, ...options })).rejects.toThrow(/is empty/);
  });
});
