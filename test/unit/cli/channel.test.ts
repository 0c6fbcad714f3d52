// Runs `insitu channel` as processes on a channel file and on a collector: releases, signatures, refusals, the history.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseChannel } from "../../../src/shared/rollout/parse-channel.js";
import { checkSignatures } from "../../../src/worker/package/trust.js";
import { insitu, insituAsync } from "../../support/cli.js";
import { flip, useRooms } from "../../support/packages.js";
import { decisionOf, type RolloutCollector, startRolloutCollector } from "../../support/rollout-collector.js";
import { readJson, writeVersion } from "../../support/versions.js";

const rooms = useRooms();
const key = (name = "key.json") => join(rooms.root, name);
const file = () => join(rooms.folder, "channel.json");
const channel = (...args: string[]) => insitu("channel", ...args);

/** Packages of three versions, without a channel. */
let packages: string;

beforeAll(() => {
  packages = join(rooms.root, "packages");
  for (const version of ["1.0.0", "1.1.0", "1.2.0"]) writeVersion(packages, version);
  writeVersion(packages, "other", { name: "letters", version: "1.0.0" });
  expect(insitu("keygen", "--out", key(), "--id", "prod").status).toBe(0);
  expect(insitu("keygen", "--out", key("two.json"), "--id", "two").status).toBe(0);
});

beforeEach(() => cpSync(packages, rooms.folder, { recursive: true }));

const start = (...args: string[]) => channel("start", rooms.folder, "--stable", "1.0.0", ...args);

describe("insitu channel on a file", () => {
  it("publishes a canary, raises it and promotes it, with the same salt and a higher release each time", () => {
    expect(start("--canary", "1.1.0", "--weight", "10")).toMatchObject({
      status: 0,
      stderr: "",
      stdout: `${file()}: digits, release 1, unsigned\nstable 1.0.0 90 %, canary 1.1.0 10 %\n`,
    });
    const { salt } = readJson(file());
    expect(channel("raise", rooms.folder, "--to", "25", "--by", "Ada", "--why", "no errors").stdout).toContain(
      "release 2, unsigned\nstable 1.0.0 75 %, canary 1.1.0 25 %",
    );
    expect(channel("hold", file()).stdout).toContain("release 3");
    expect(channel("promote", file()).stdout).toContain("release 4, unsigned\nstable 1.1.0 100 %");
    expect(parseChannel(readFileSync(file(), "utf8"), file())).toMatchObject({
      model: "digits",
      release: 4,
      salt,
      arms: [{ package: "./1.1.0/", weight: 100, role: "stable", version: "1.1.0" }],
    });
    const records = join(rooms.folder, "history/channel");
    expect(readdirSync(records)).toHaveLength(4);
    expect(readJson(join(records, "0000000000000002.json"))).toMatchObject({
      action: "raise",
      by: "Ada",
      why: "no errors",
    });
    expect(readdirSync(rooms.folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("says when another key signs than before, and when a package has no self-test", () => {
    expect(start("--sign", key()).stderr).not.toContain("no self-test");
    const manifest = readJson(join(rooms.folder, "1.1.0/insitu.json"));
    writeFileSync(join(rooms.folder, "1.1.0/insitu.json"), JSON.stringify({ ...manifest, selfTest: undefined }));
    const other = channel("start", file(), "--canary", "1.1.0", "--sign", key("two.json"));
    expect(other).toMatchObject({ status: 0, stderr: expect.stringContaining("./1.1.0/ has no self-test") });
    expect(other.stdout).toContain("it is signed by two, the release before by prod");
    expect(channel("raise", file(), "--to", "25", "--sign", key("two.json")).stdout).not.toContain("Note");
  });

  it("goes back: from the canary, then to the stable version before, then no further", () => {
    start("--canary", "1.1.0");
    expect(channel("rollback", file()).stdout).toContain("stable 1.0.0 100 %");
    start("--canary", "1.1.0");
    channel("promote", file());
    expect(channel("rollback", file()).stdout).toContain("stable 1.0.0 100 %");
    const further = channel("rollback", file());
    expect(further).toMatchObject({ status: 1, stderr: expect.stringContaining("Pass --to") });
    expect(channel("rollback", file(), "--to", "1.2.0").stdout).toContain("stable 1.2.0 100 %");
  });

  it("goes back also when the package of the canary is damaged", () => {
    start("--canary", "1.1.0");
    flip(join(rooms.folder, "1.1.0/weights.bin"), 0);
    expect(channel("raise", file(), "--to", "50")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("differs from the manifest"),
    });
    expect(channel("promote", file()).status).toBe(1);
    expect(channel("rollback", file()).stdout).toContain("stable 1.0.0 100 %");
  });

  it("does not sign what was changed since it was signed, unless the change is said to be wanted", () => {
    const sign = ["--sign", key()];
    start("--canary", "1.1.0", ...sign);
    const text = readFileSync(file(), "utf8");
    const changes: [string, string][] = [
      ['"./1.0.0/"', '"./1.2.0/"'],
      ['"digits"', '"letters"'],
      ['"release": 1', '"release": 9'],
    ];
    for (const [from, to] of changes) {
      const edited = text.replace(from, to);
      expect(edited).not.toBe(text);
      writeFileSync(file(), edited);
      for (const command of [
        ["raise", file(), "--to", "30"],
        ["promote", file()],
        ["rollback", file()],
        ["hold", file()],
      ])
        expect(channel(...command, ...sign)).toMatchObject({
          status: 1,
          stderr: expect.stringContaining("was changed since prod signed it"),
        });
      expect(readFileSync(file(), "utf8")).toBe(edited);
    }
    writeFileSync(file(), text.replace('"weight": 5', '"weight": 6'));
    expect(channel("raise", file(), "--to", "30", ...sign, "--edited").stdout).toContain("canary 1.1.0 30 %");
    expect(channel("hold", file(), ...sign, "--unsigned").stderr).toContain("contradict");
  });

  it.each(["2027-02-31", "2027-02-29T10:00:00Z", "2027-01-31 12:00", "tomorrow"])(
    "takes no --expires %s, which some browsers cannot read",
    (time) => {
      expect(start("--expires", time)).toMatchObject({ status: 2, stderr: expect.stringContaining("ISO 8601") });
      expect(existsSync(file())).toBe(false);
    },
  );

  it("makes no key whose name breaks lines or is endless", () => {
    for (const id of ["a\nb", "\u001b[31mred", "x".repeat(201)])
      expect(insitu("keygen", "--out", join(rooms.folder, "odd.json"), "--id", id)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("Pass a short name"),
      });
    expect(existsSync(join(rooms.folder, "odd.json"))).toBe(false);
  });

  it("shows by status what is in force and writes nothing, also where the file is damaged or has expired", () => {
    start("--expires", new Date(Date.now() + 2_000).toISOString());
    for (const text of ["", "{", readFileSync(file(), "utf8").slice(0, 40)]) {
      writeFileSync(file(), text);
      expect(channel("status", file())).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/digits, release 1.*Note: .*damaged/s),
      });
      expect(readFileSync(file(), "utf8")).toBe(text);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
    expect(channel("status", file()).stdout).toContain("has expired on");
    rmSync(file());
    expect(channel("status", file()).stdout).toContain("missing");
    expect(existsSync(file())).toBe(false);
  });

  it("signs what pages verify, and publishes nothing unsigned after that", async () => {
    expect(start("--canary", "1.1.0", "--sign", key(), "--sign", key("two.json"))).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("release 1, signed by prod, two"),
      stderr: expect.stringContaining("./1.0.0/ is not signed"),
    });
    const text = readFileSync(file(), "utf8");
    const keys = [readJson(key("key.public.json")), readJson(key("two.public.json"))];
    await checkSignatures(text, parseChannel(text, file()), { keys, threshold: 2 }, file());
    await expect(
      checkSignatures(text.replace('"weight": 5', '"weight": 6'), parseChannel(text, file()), { keys }, file()),
    ).rejects.toMatchObject({ code: "model_signature" });
    const forgotten = channel("raise", file(), "--to", "25");
    expect(forgotten).toMatchObject({ status: 1, stderr: expect.stringContaining("Pass --sign, or --unsigned") });
    expect(readFileSync(file(), "utf8")).toBe(text);
    expect(channel("raise", file(), "--to", "25", "--unsigned").status).toBe(0);
    expect(text).not.toContain(readJson(key()).privateKey);
  });

  it("keeps the time of expiry, and refuses to publish one that has passed", () => {
    start("--canary", "1.1.0", "--expires", "2100-01-01");
    channel("raise", file(), "--to", "25");
    expect(readJson(file()).expires).toBe("2100-01-01");
    const written = readJson(file());
    writeFileSync(file(), JSON.stringify({ ...written, release: 9, expires: "2001-01-01" }));
    expect(channel("hold", file())).toMatchObject({ status: 1, stderr: expect.stringContaining("Pass --expires") });
    expect(channel("hold", file(), "--expires", "never").stdout).toContain("release 10");
    expect(readJson(file()).expires).toBeUndefined();
  });

  it("continues a channel that was written by hand, above its release", () => {
    const arms = [{ package: "./1.0.0/", weight: 1, role: "stable" }];
    writeFileSync(file(), JSON.stringify({ model: "digits", release: 41, arms, salt: "by-hand" }));
    expect(channel("start", file(), "--canary", "1.1.0").stdout).toContain("release 42");
    expect(readJson(file()).salt).toBe("by-hand");
    channel("rollback", file());
    channel("start", file(), "--canary", "1.2.0", "--salt", "next");
    expect(readJson(file()).salt).toBe("next");
  });

  it("completes what a publisher that was killed has begun", () => {
    start("--canary", "1.1.0");
    const before = readFileSync(file(), "utf8");
    channel("raise", file(), "--to", "25");
    // As after a kill between the record and the file.
    writeFileSync(file(), before);
    writeFileSync(join(rooms.folder, "history/channel/.insitu-00000000-1-000000000000.tmp"), "half");
    expect(channel("status", file()).stdout).toMatch(/digits, release 2.*Note: .*older than its record of release 2/s);
    expect(readFileSync(file(), "utf8")).toBe(before);
    // A command that is refused completes it all the same.
    expect(channel("raise", file(), "--to", "25").stderr).toContain("has 25 % already");
    expect(readJson(file()).release).toBe(2);
    writeFileSync(file(), before.slice(0, 40));
    expect(channel("raise", file(), "--to", "50").stdout).toContain("release 3");
    rmSync(file());
    expect(channel("hold", file()).stdout).toContain("release 4");
    // A record that is damaged is never written again.
    writeFileSync(join(rooms.folder, "history/channel/0000000000000005.json"), "{");
    expect(channel("hold", file()).stdout).toContain("release 6");
  });

  it.each<[string, string[], RegExp]>([
    ["a package of another model", ["start", "--canary", "other"], /is the model letters/],
    ["a package that is not there", ["start", "--canary", "3.0.0"], /is not a package in/],
    ["a package elsewhere", ["start", "--canary", "models/digits/package"], /is not in the folder of the channel/],
    ["a path that leaves the folder", ["start", "--canary", "../packages/1.1.0"], /is not (a package|in the folder)/],
    ["a lower release", ["start", "--canary", "1.1.0", "--release", "1"], /has had release 1/],
    ["a release far above", ["start", "--canary", "1.1.0", "--release", "1000002"], /pass --large-step if you mean it/],
    [
      "a release after which none could follow",
      ["start", "--canary", "1.1.0", "--release", "9007199254740991", "--large-step"],
      /the highest release is 1099511627776 \(2\^40\)/,
    ],
    [
      "a state that is not in force",
      ["start", "--canary", "1.1.0", "--if-release", "7"],
      /is release 1, and --if-release is 7/,
    ],
    ["a canary without one", ["raise", "--to", "50"], /no canary to raise/],
    ["a key that cannot sign", ["start", "--canary", "1.1.0", "--sign", "KEY"], /is a public key, which cannot sign/],
    ["a place of packages for a file", ["hold", "--packages", "x"], /--packages is for a channel at a collector/],
  ])("refuses %s, and changes nothing", (_what, [command = "", ...rest], message) => {
    start();
    const before = readFileSync(file(), "utf8");
    const args = rest.map((arg) => (arg === "KEY" ? key("key.public.json") : arg));
    const { status, stdout, stderr } = channel(command, file(), ...args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^insitu: /);
    expect(readFileSync(file(), "utf8")).toBe(before);
    expect(readdirSync(join(rooms.folder, "history/channel"))).toHaveLength(1);
  });

  it.each<[string, string[]]>([
    ["a share that is none", ["raise", "x", "--to", "0"]],
    ["a share over everybody", ["start", "x", "--weight", "101"]],
    ["steps that fall", ["auto", "x", "--steps", "25,5"]],
    ["a time that is none", ["auto", "x", "--every", "soon"]],
    ["an expiry that is none", ["hold", "x", "--expires", "soon"]],
    ["no channel", ["hold"]],
    ["an unknown command", ["lower", "x"]],
  ])("exits with 2 for %s", (_what, args) => {
    expect(channel(...args)).toMatchObject({ status: 2, stdout: "" });
  });

  it("refuses a manifest as a channel, and a channel that is not there", () => {
    expect(channel("hold", join(rooms.folder, "1.0.0/insitu.json")).stderr).toContain("is not a channel");
    expect(channel("hold", file()).stderr).toContain('Begin with "insitu channel start"');
    expect(channel("status", file()).status).toBe(1);
    expect(existsSync(join(rooms.folder, "history"))).toBe(false);
  });

  it("prints the status as tables and as JSON", () => {
    start("--canary", "1.1.0", "--shadow", "1.2.0", "--share", "20", "--by", "Ada\u001b[31m\nEve", "--why", "try");
    const { stdout } = channel("status", file());
    expect(stdout).toMatch(/stable +1\.0\.0 +95 % +\.\/1\.0\.0\/\n/);
    expect(stdout).toMatch(/shadow +1\.2\.0 +\.\/1\.2\.0\/, 20 % of the inputs\n/);
    // What a publisher says cannot move the cursor of a reader.
    expect(stdout).toMatch(/1 +\S+Z +start +Ada \[31m Eve +try/);
    expect(JSON.parse(channel("status", file(), "--json").stdout)).toMatchObject({
      model: "digits",
      release: 1,
      channel: { arms: [{ percent: 95 }, { percent: 5 }, { role: "shadow" }] },
      history: [{ action: "start", why: "try" }],
    });
  });
});

describe("insitu channel at a collector", () => {
  let collector: RolloutCollector;
  const at = () => `${collector.url}/v1/channels/digits`;
  const remote = (command: string, ...args: string[]) =>
    insituAsync("channel", command, at(), "--token", collector.token, ...args);
  const begin = () =>
    remote("start", "--stable", "1.0.0", "--canary", "1.1.0", "--packages", packages, "--by", "Zoë 100%");

  beforeEach(async () => {
    collector = await startRolloutCollector();
  });
  afterEach(() => collector.close());

  it("creates and replaces it under conditions, with who and why", async () => {
    expect(await begin()).toMatchObject({ status: 0, stderr: "" });
    expect(
      await remote("raise", "--to", "25", "--packages", packages, "--why", "läuft", "--sign", key()),
    ).toMatchObject({ status: 0 });
    const text = collector.channels.get("digits") ?? "";
    expect(parseChannel(text, at())).toMatchObject({ release: 2, signatures: [{ keyId: "prod" }] });
    expect(collector.history.map(({ why }) => why)).toEqual(["raise: läuft", "start"]);
    expect(collector.history[1]?.by).toBe("Zoë 100%");
    const status = await remote("status");
    expect(status.stdout).toMatch(/2 +\S+ +raise +.* +läuft/);
  });

  it("loses nobody's release: what fits is done again, what does not is refused", async () => {
    await begin();
    let count = 0;
    collector.beforePut = () => {
      if (++count > 1) return;
      const there = JSON.parse(collector.channels.get("digits") ?? "");
      collector.channels.set("digits", JSON.stringify({ ...there, release: 2 }));
    };
    expect((await remote("raise", "--to", "25", "--packages", packages)).stdout).toContain("release 3");
    collector.beforePut = () => {
      const { arms, ...there } = JSON.parse(collector.channels.get("digits") ?? "");
      collector.channels.set("digits", JSON.stringify({ ...there, arms: arms.slice(0, 1), release: 4 }));
    };
    const late = await remote("promote", "--packages", packages);
    expect(late).toMatchObject({ status: 1, stderr: expect.stringContaining("no canary to promote") });
    expect(JSON.parse(collector.channels.get("digits") ?? "").release).toBe(4);
  });

  it("goes back to the stable version before, by the collector's history, at the address that pages load", async () => {
    await begin();
    await remote("promote", "--packages", packages);
    const pages = ["channel", "rollback", `${at()}.json`, "--token", collector.token, "--packages", packages];
    expect(await insituAsync(...pages)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("stable 1.0.0 100 %"),
    });
    expect((await remote("status")).stdout).toMatch(/2 +\S+ +promote +.*\(stable 1\.1\.0 100 %\)/);
  });

  it("says what to do without a token, at another address, and for a collector that is down", async () => {
    const denied = await insituAsync("channel", "start", at(), "--stable", "1.0.0", "--packages", packages);
    expect(denied).toMatchObject({ status: 1, stderr: expect.stringContaining("INSITU_TOKEN") });
    expect((await insituAsync("channel", "status", `${collector.url}/v1/digits`)).stderr).toContain(
      "ends in /v1/channels/",
    );
    await collector.close();
    const down = await remote("start", "--stable", "1.0.0", "--packages", packages);
    expect(down).toMatchObject({ status: 1, stderr: expect.stringMatching(/ECONNREFUSED|connect/) });
  });

  it("shows the decision with its evidence", async () => {
    await begin();
    collector.decision = decisionOf("hold", "not_worse");
    const { stdout } = await remote("status");
    expect(stdout).toContain("decision hold (not worse), 1.1.0 (n 1000) against 1.0.0 (n 9000)");
    expect(stdout).toMatch(
      /accuracy +trusted +95\.0 \[94\.0, 96\.0\] % \(n 1000\) +96\.0 .* +1\.0 \[-1\.0, 3\.0\] % +0\.20 +equivalent/,
    );
    collector.decision = { nonsense: true };
    expect(await remote("status")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("No decision: The answer of"),
    });
  });
});
