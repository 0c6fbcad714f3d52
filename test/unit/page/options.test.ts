// What a page passes to createClient and load: addresses of packages, and how their files are requested.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LoadOptions } from "../../../src/page/api-types.js";
import { checkChannelOptions, checkLoadOptions, checkOptions, packageUrl } from "../../../src/page/options.js";
import type { InsituError } from "../../../src/shared/errors.js";

const at = (href: string) => {
  vi.stubGlobal("location", { href, protocol: new URL(href).protocol });
};
beforeEach(() => at("https://site.example/app/index.html"));
afterEach(() => vi.unstubAllGlobals());

function refusal(run: () => unknown): InsituError {
  try {
    run();
  } catch (error) {
    return error as InsituError;
  }
  throw new Error("It was not refused.");
}

const requestOf = (request?: LoadOptions["request"], url = "/models/x/") =>
  checkLoadOptions({ ...(request && { request }) }, url).request;

describe("a package's address", () => {
  it.each([
    ["/models/x/", "https://site.example/models/x/"],
    ["models/x", "https://site.example/app/models/x/"],
    ["/models/x/insitu.json", "https://site.example/models/x/"],
    ["insitu.json", "https://site.example/app/"],
    ["/models/x/insitu.json?v=3", "https://site.example/models/x/"],
    ["/models/x?v=3#part", "https://site.example/models/x/"],
    ["https://cdn.example/?token=a/b", "https://cdn.example/"],
    ["/models/not-insitu.json/", "https://site.example/models/not-insitu.json/"],
    ["/models/xinsitu.json", "https://site.example/models/xinsitu.json/"],
  ])("%s is the folder %s", (url, folder) => {
    expect(packageUrl(url)).toBe(folder);
    expect(packageUrl(new URL(url, location.href))).toBe(folder);
  });

  it.each(["ftp://host.example/x/", "data:text/plain,x", "javascript:0", "https://", "chrome-extension://abc/x/"])(
    "%s is refused",
    (url) => {
      expect(refusal(() => packageUrl(url))).toMatchObject({
        code: "input_invalid",
        data: { option: "url", value: url },
      });
    },
  );

  it.each(["chrome-extension://abc/", "tauri://localhost/", "capacitor://localhost/"])(
    "may have the page's own scheme: %s",
    (page) => {
      at(`${page}index.html`);
      expect(packageUrl("models/x/insitu.json?v=1")).toBe(`${page}models/x/`);
      expect(packageUrl("https://cdn.example/x/")).toBe("https://cdn.example/x/");
      expect(checkOptions({ assets: { wasm: "wasm" } }).wasmBase).toBe(`${page}wasm/`);
      expect(refusal(() => packageUrl("other://localhost/x/"))).toMatchObject({ code: "input_invalid" });
    },
  );
});

describe("how a package is requested", () => {
  it("is nothing special by default", () => expect(requestOf()).toBeUndefined());

  it("has the query string of the address, which is sent with every file", () => {
    expect(requestOf(undefined, "/models/x/insitu.json?v=3&b#part")).toEqual({ query: "?v=3&b" });
  });

  it("has credentials and headers", () => {
    const headers = { Authorization: "Bearer secret" };
    expect(requestOf({ credentials: "include", headers })).toEqual({
      query: "",
      credentials: "include",
      headers: { authorization: "Bearer secret" },
    });
  });

  it.each<[string, unknown]>([
    ["credentials", { credentials: "yes" }],
    ["headers", { headers: { "a b": "secret" } }],
    ["headers", { headers: { Authorization: "secret\nsecret" } }],
    ["headers", { headers: "secret" }],
    ["headers", { headers: { RANGE: "bytes=0-1" } }],
    ["headers", { headers: { "If-Range": "secret" } }],
  ])("is refused with wrong %s, without telling a value", (field, request) => {
    const error = refusal(() => requestOf(request as LoadOptions["request"]));
    expect(error).toMatchObject({ code: "input_invalid", data: { option: `request.${field}` } });
    expect(JSON.stringify([error.message, error.data, String(error.cause)])).not.toContain("secret");
  });
});

describe("the options of a channel", () => {
  it.each([
    [undefined, { every: 300_000 }],
    [null, { every: 300_000 }],
    [{}, { every: 300_000 }],
    [
      { every: 0, pin: "1.0.0" },
      { every: 0, pin: "1.0.0" },
    ],
    [{ every: 1_000, file: "/x.json" }, { every: 1_000 }],
  ])("%o", (given, expected) => {
    expect(checkChannelOptions(given as never)).toEqual(expected);
  });

  it.each([1, 999.9, -1, Number.NaN, Number.POSITIVE_INFINITY, "60000", null])(
    "an interval of %s is refused",
    (every) => {
      expect(refusal(() => checkChannelOptions({ every: every as number }))).toMatchObject({
        code: "input_invalid",
        message: `channel.every is ${every}; pass 0, or milliseconds from 1000 on.`,
        data: { option: "channel.every" },
      });
    },
  );

  it("that are not known are refused with those that are", () => {
    expect(refusal(() => checkChannelOptions({ evry: 60_000 } as never))).toMatchObject({
      code: "input_invalid",
      message: "channel.evry is 60000; pass only every, file, pin.",
      data: { option: "channel.evry" },
    });
    expect(refusal(() => checkChannelOptions("1.0.0" as never))).toMatchObject({ data: { option: "channel" } });
    expect(refusal(() => checkChannelOptions({ pin: 1 } as never))).toMatchObject({ data: { option: "channel.pin" } });
  });
});
