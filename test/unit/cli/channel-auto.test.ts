// Following a collector's decisions: which step follows from which decision, and `insitu channel auto` against a real server.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { nextStep } from "../../../src/cli/channel/auto.js";
import { type Decision, parseDecision } from "../../../src/cli/channel/decision.js";
import { planPromote, planStart } from "../../../src/cli/channel/plan.js";
import { decisionText } from "../../../src/cli/channel/status-text.js";
import { parseChannel } from "../../../src/shared/rollout/parse-channel.js";
import type { Channel } from "../../../src/shared/types/rollout.js";
import { insitu, insituAsync, startInsitu } from "../../support/cli.js";
import { refusal } from "../../support/manifests.js";
import { flip, useRooms } from "../../support/packages.js";
import { decisionOf, type RolloutCollector, startRolloutCollector } from "../../support/rollout-collector.js";
import { readJson, writeVersion } from "../../support/versions.js";

const WHERE = "https://host.example/channel.json";
const NOW = Date.parse("2026-11-28T12:00:00Z");
const LIMITS = { steps: [5, 25, 50, 100], pause: 600_000, isHeld: false, now: NOW };

const pack = (version: string) => ({
  package: `./${version}/`,
  version,
  model: "digits",
  signedBy: [],
  isTested: true,
});

function channelOf(weight: number, created = "2026-11-28T11:00:00Z"): Channel {
  const plan = planStart(undefined, { stable: pack("1.0.0"), canary: pack("1.1.0"), weight, salt: "s" }, WHERE);
  return parseChannel(JSON.stringify({ ...plan, release: 1, created }), WHERE);
}

const decided = (action: string, reason: string, changes = {}): Decision =>
  parseDecision(JSON.stringify(decisionOf(action, reason, { at: NOW, ...changes })), "digits", WHERE);

describe("the step that follows", () => {
  it.each<[string, number, Decision, Partial<typeof LIMITS>, object]>([
    ["rolls back at once", 5, decided("rollback", "errors"), {}, { action: "rollback", version: "1.1.0" }],
    ["rolls back on hold too", 5, decided("rollback", "errors"), { isHeld: true }, { action: "rollback" }],
    ["promotes at any share", 5, decided("promote", "better"), {}, { action: "promote" }],
    ["promotes nothing on hold", 5, decided("promote", "better"), { isHeld: true }, { action: "wait" }],
    ["raises what is not worse to the next step", 5, decided("hold", "not_worse"), {}, { action: "raise", to: 25 }],
    ["raises from a share between two steps", 30, decided("hold", "not_worse"), {}, { action: "raise", to: 50 }],
    ["raises nothing on hold", 5, decided("hold", "not_worse"), { isHeld: true }, { action: "wait" }],
    ["waits for more data", 5, decided("hold", "not_enough"), {}, { action: "wait" }],
    ["raises nothing by data of pages alone", 5, decided("hold", "untrusted"), {}, { action: "wait" }],
    ["raises nothing that is slower", 5, decided("hold", "latency"), {}, { action: "wait" }],
    ["leaves a control beside the last step", 50, decided("hold", "not_worse"), {}, { action: "wait" }],
    [
      "waits for the pause",
      5,
      decided("hold", "not_worse"),
      { now: Date.parse("2026-11-28T11:05:00Z") },
      { action: "wait", why: expect.stringContaining("after the pause") },
    ],
    ["waits when the clock went back", 5, decided("hold", "not_worse"), { now: 0 }, { action: "wait" }],
  ])("%s", (_what, weight, decision, limits, step) => {
    expect(nextStep(channelOf(weight), decision, { ...LIMITS, ...limits })).toMatchObject(step);
  });

  it("does not raise against evidence that is worse, whatever the reason says", () => {
    const [first] = decided("hold", "not_worse").evidence;
    const decision = { ...decided("hold", "not_worse"), evidence: [{ ...first, verdict: "worse" }] } as Decision;
    expect(nextStep(channelOf(5), decision, LIMITS)).toMatchObject({ action: "wait" });
  });

  it("promotes nothing against evidence that is worse", () => {
    const [first] = decided("promote", "better").evidence;
    const decision = { ...decided("promote", "better"), evidence: [{ ...first, verdict: "worse" }] } as Decision;
    expect(nextStep(channelOf(5), decision, LIMITS)).toMatchObject({ action: "wait" });
  });

  it.each([0, "2026-11-28T10:59:00Z", "2026-11-28T13:01:00Z", "yesterday"])(
    "promotes and raises nothing by a decision of %s, and rolls back by it",
    (at) => {
      for (const [action, reason] of [
        ["promote", "better"],
        ["hold", "not_worse"],
      ] as const)
        expect(nextStep(channelOf(5), decided(action, reason, { at }), LIMITS)).toMatchObject({
          action: "wait",
          why: expect.stringContaining("not of this hour"),
        });
      expect(nextStep(channelOf(5), decided("rollback", "errors", { at }), LIMITS)).toMatchObject({
        action: "rollback",
      });
    },
  );

  it.each([
    ["another candidate", { candidate: { version: "9.9.9", arm: "canary", n: 1 } }],
    ["another control", { control: { version: "9.9.9", arm: "stable", n: 1 } }],
    ["no candidate", { candidate: null }],
  ])("follows no decision about %s", (_what, changes) => {
    for (const action of ["promote", "rollback", "hold"])
      expect(nextStep(channelOf(5), decided(action, "better", changes), LIMITS)).toMatchObject({
        action: "wait",
        why: expect.stringContaining("disagrees"),
      });
  });

  it("has nothing to do without a canary, and ends only the one of several that is worse", () => {
    const none = parseChannel(JSON.stringify({ ...planPromote(channelOf(5), undefined), release: 2 }), WHERE);
    expect(nextStep(none, decided("promote", "better"), LIMITS)).toMatchObject({ action: "idle" });
    const two = parseChannel(
      JSON.stringify({
        ...planStart(channelOf(5), { canary: pack("1.2.0"), several: true, salt: "s" }, WHERE),
        release: 2,
      }),
      WHERE,
    );
    const worse = { candidate: { version: "1.2.0", arm: "canary", n: 9 } };
    expect(nextStep(two, decided("rollback", "errors", worse), LIMITS)).toMatchObject({
      action: "rollback",
      version: "1.2.0",
    });
    expect(nextStep(two, decided("promote", "better", worse), LIMITS)).toMatchObject({ action: "wait" });
  });

  it.each<[string, unknown]>([
    ["a list", []],
    ["another model", decisionOf("promote", "better", { model: "objects" })],
    ["an unknown action", decisionOf("delete", "better")],
    ["an unknown reason", decisionOf("promote", "because")],
    ["no evidence", decisionOf("promote", "better", { evidence: undefined })],
    ["an unknown verdict", decisionOf("promote", "better", { evidence: [{ metric: "accuracy", verdict: "fine" }] })],
    ["no control", decisionOf("promote", "better", { control: null })],
    ["a negative number", decisionOf("promote", "better", { control: { version: "1", arm: "stable", n: -1 } })],
  ])("refuses %s as a decision", (_what, value) => {
    expect(refusal(() => parseDecision(JSON.stringify(value), "digits", WHERE))).toMatchObject({
      code: "model_format",
    });
  });
});

describe("the text of a decision", () => {
  it("says what a promotion lacks, and no bounds that are not known", () => {
    const [first] = decided("hold", "not_enough").evidence;
    const evidence = [
      { ...first, metric: "accuracy", difference: 0.792, low: -1, high: 1, verdict: "unknown" },
      { ...first, metric: "latency", difference: 0.5, low: -1, high: 1e6, verdict: "unknown" },
      { ...first, metric: "errors", difference: 0.01, low: -0.02, high: 0.03, verdict: "unknown" },
    ];
    const text = decisionText(decided("hold", "not_enough", { missing: ["Accuracy: 7 of 50 values."], evidence }));
    expect(text).toContain("decision hold (not enough)");
    expect(text).toContain("\n  Accuracy: 7 of 50 values.\n");
    expect(text).toContain("79.2 %, not known yet");
    expect(text).toContain("50.0 %, not known yet");
    expect(text).toContain("1.0 [-2.0, 3.0] %");
    expect(text).not.toContain("100000000");
  });
});

describe("insitu channel auto", () => {
  const rooms = useRooms();
  let collector: RolloutCollector;
  const file = () => join(rooms.folder, "channel.json");
  const args = (...more: string[]) => [
    "channel",
    "auto",
    file(),
    "--collector",
    collector.url,
    "--token",
    collector.token,
    ...more,
  ];
  const auto = (...more: string[]) => insituAsync(...args("--every", "20ms", "--pause", "0s", ...more));
  const shares = () => readJson(file()).arms.map(({ weight }: { weight: number }) => weight);

  let packages: string;
  beforeAll(() => {
    packages = join(rooms.root, "packages");
    for (const version of ["1.0.0", "1.1.0"]) writeVersion(packages, version);
    expect(insitu("keygen", "--out", join(rooms.root, "key.json"), "--id", "prod").status).toBe(0);
  });
  beforeEach(async () => {
    collector = await startRolloutCollector();
    cpSync(packages, rooms.folder, { recursive: true });
    expect(insitu("channel", "start", file(), "--stable", "1.0.0", "--canary", "1.1.0").status).toBe(0);
  });
  afterEach(() => collector.close());

  it("raises step by step while it is not worse, then promotes, and exits with 0", async () => {
    let looks = 0;
    collector.decision = (response: import("node:http").ServerResponse) => {
      looks += 1;
      const decision = looks < 5 ? decisionOf("hold", "not_worse") : decisionOf("promote", "better");
      response.end(JSON.stringify(decision));
    };
    const { status, stdout } = await auto("--sign", join(rooms.root, "key.json"), "--why", "nightly");
    expect(status).toBe(0);
    expect(readJson(file())).toMatchObject({
      release: 4,
      arms: [{ version: "1.1.0", role: "stable" }],
      signatures: [{ keyId: "prod" }],
    });
    expect(stdout).toMatch(/raise: the collector says hold, not worse; accuracy equivalent by 0\.010\n/);
    expect(stdout.indexOf("canary 1.1.0 25 %")).toBeLessThan(stdout.indexOf("canary 1.1.0 50 %"));
    expect(stdout).toContain("stable 1.1.0 100 %");
    // The state between two steps is told once.
    expect(stdout.match(/last step before a promotion/g)).toHaveLength(1);
    expect(readJson(join(rooms.folder, "history/channel/0000000000000002.json")).why).toMatch(
      /^nightly: the collector says hold/,
    );
  });

  it("rolls back at once and exits with 3", async () => {
    collector.decision = decisionOf("rollback", "errors");
    expect(await auto("--once")).toMatchObject({ status: 3, stdout: expect.stringContaining("stable 1.0.0 100 %") });
    expect(readJson(file()).release).toBe(2);
    expect(await auto("--once")).toMatchObject({ status: 0, stdout: expect.stringContaining("no canary") });
  });

  it("looks once and exits with 4 where nothing is decided, and with 0 where a step was made it says which", async () => {
    collector.decision = decisionOf("hold", "not_enough");
    expect((await auto("--once")).status).toBe(4);
    collector.decision = decisionOf("hold", "not_worse");
    expect(await auto("--once", "--steps", "10,20")).toMatchObject({
      status: 4,
      stdout: expect.stringContaining("canary 1.1.0 10 %"),
    });
    insitu("channel", "hold", file());
    const held = await auto("--once", "--steps", "20");
    expect(held).toMatchObject({ status: 4, stdout: expect.stringContaining("on hold") });
    expect(shares()).toEqual([90, 10]);
  });

  it("survives a collector that is down, answers nonsense or disagrees, and goes on", async () => {
    const answers = [
      (response: import("node:http").ServerResponse) => response.destroy(),
      (response: import("node:http").ServerResponse) => response.writeHead(503).end("busy"),
      (response: import("node:http").ServerResponse) => response.end("<html>login</html>"),
      (response: import("node:http").ServerResponse) => response.end("x".repeat(5 * 2 ** 20)),
      (response: import("node:http").ServerResponse) =>
        response.end(JSON.stringify(decisionOf("promote", "better", { model: "objects" }))),
      (response: import("node:http").ServerResponse) =>
        response.end(
          JSON.stringify(decisionOf("promote", "better", { candidate: { version: "0.9.0", arm: "canary", n: 5 } })),
        ),
      (response: import("node:http").ServerResponse) => response.writeHead(302, { location: "/elsewhere" }).end(),
    ];
    collector.decision = (response: import("node:http").ServerResponse) =>
      (answers.shift() ?? ((last: typeof response) => last.end(JSON.stringify(decisionOf("promote", "better")))))(
        response,
      );
    const { status, stdout } = await auto();
    expect(status).toBe(0);
    expect(stdout.match(/nothing done/g)?.length).toBeGreaterThanOrEqual(5);
    expect(stdout).toContain("disagrees with the channel: its candidate is 0.9.0");
    // One release: the promotion.
    expect(readJson(file()).release).toBe(2);
  });

  it("raises and promotes no package that is damaged, and rolls it back", async () => {
    flip(join(rooms.folder, "1.1.0/weights.bin"), 0);
    for (const [action, reason] of [
      ["hold", "not_worse"],
      ["promote", "better"],
    ] as const) {
      collector.decision = decisionOf(action, reason);
      expect(await auto("--once")).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("differs from the manifest"),
      });
      expect(shares()).toEqual([95, 5]);
    }
    collector.decision = decisionOf("rollback", "errors");
    expect((await auto("--once")).status).toBe(3);
  });

  it("ends at once without the key of a signed channel, and where the channel was changed since it was signed", async () => {
    const sign = ["--sign", join(rooms.root, "key.json")];
    expect(insitu("channel", "raise", file(), "--to", "10", ...sign).status).toBe(0);
    collector.decision = decisionOf("hold", "not_enough");
    expect(await auto()).toMatchObject({ status: 1, stderr: expect.stringContaining("Pass --sign") });
    writeFileSync(file(), readFileSync(file(), "utf8").replace('"weight": 10', '"weight": 11'));
    expect(await auto(...sign)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("was changed since prod signed it"),
    });
  });

  it("goes on where the channel's own collector is down when it starts", async () => {
    const down = ["channel", "auto", "http://127.0.0.1:1/v1/channels/digits", "--packages", rooms.folder];
    const { process: child, done } = startInsitu([...down, "--every", "20ms"]);
    let told = "";
    child.stdout?.on("data", (text: Buffer) => {
      told += text.toString();
    });
    await expect.poll(() => told, { timeout: 20_000 }).toContain("nothing done");
    child.kill("SIGTERM");
    expect((await done).status).toBe(143);
  });

  it("looks thirty times without a warning of Node", async () => {
    let looks = 0;
    collector.decision = (response: import("node:http").ServerResponse) => {
      looks += 1;
      response.end(JSON.stringify(looks < 30 ? decisionOf("hold", "not_enough") : decisionOf("promote", "better")));
    };
    expect(await insituAsync(...args("--every", "1ms"))).toMatchObject({ status: 0, stderr: "" });
    expect((await insituAsync(...args("--every", "0s"))).stderr).toContain("must be over 0");
  });

  it("gives up on a wrong token, a missing key and a missing channel", async () => {
    const wrong = await insituAsync(
      "channel",
      "auto",
      file(),
      "--collector",
      collector.url,
      "--token",
      "wrong",
      "--every",
      "10ms",
    );
    expect(wrong).toMatchObject({ status: 1, stderr: expect.stringContaining("INSITU_TOKEN") });
    expect((await auto("--sign", join(rooms.root, "none.json"))).status).toBe(1);
    expect((await insituAsync("channel", "auto", file(), "--once")).stderr).toContain("--collector");
    writeFileSync(join(rooms.root, "empty.txt"), "");
    const nowhere = ["channel", "auto", join(rooms.root, "none/channel.json"), "--collector", collector.url];
    expect((await insituAsync(...nowhere)).stderr).toContain("does not exist");
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends by %s with %d and leaves the channel as it is", async (signal, code) => {
    collector.decision = decisionOf("hold", "not_enough");
    const before = readFileSync(file(), "utf8");
    const { process: child, done } = startInsitu(args("--every", "1h"));
    await new Promise<void>((told) => child.stdout?.once("data", () => told()));
    child.kill(signal);
    expect(await done).toMatchObject({ status: code, stdout: expect.stringContaining("Stopped."), stderr: "" });
    expect(readFileSync(file(), "utf8")).toBe(before);
  });
});
