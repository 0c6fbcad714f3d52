// Runs the command `insitu` as a process: its output and its exit codes 0, 1 (failure) and 2 (wrong usage).
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { packModel } from "../../../src/cli/pack.js";
import { insitu, insituIn } from "../../support/cli.js";
import { republish } from "../../support/graphs.js";
import { CENTERNET, DETECTIONS, flip, useRooms } from "../../support/packages.js";

const rooms = useRooms();
const DIGITS = fileURLToPath(new URL("../../../models/digits/package/model.json", import.meta.url));
const ABOUT_DIGITS = ["--name", "digits", "--version", "1.0.0"];

describe("the command insitu", () => {
  it("packs, verifies and inspects; exits with 1 after one bit of a file was flipped", () => {
    const task = rooms.write("detections.json", DETECTIONS);
    const labels = rooms.write("two.txt", "person\nbicycle\n");
    const packed = insitu(
      "pack",
      CENTERNET,
      "--out",
      rooms.folder,
      "--name",
      "objects",
      "--version",
      "1.2.3",
      "--release",
      "3",
      "--task",
      task,
      "--labels",
      labels,
      "--no-self-test",
      "--no-plan",
    );
    expect(packed).toMatchObject({ status: 0, stderr: "" });
    for (const words of [
      "objects 1.2.3, release 3",
      "4231963 bytes",
      "tower_0/detections float32 [1, 100, 6]",
      "detection, 2 labels",
    ]) {
      expect(packed.stdout).toContain(words);
    }
    const digest = /digest +([0-9a-f]{64})/.exec(packed.stdout)?.[1] ?? "none";
    expect(insitu("verify", rooms.folder)).toMatchObject({
      status: 0,
      stderr: "",
      stdout: expect.stringContaining(digest),
    });
    expect(JSON.parse(insitu("inspect", rooms.folder, "--json").stdout)).toMatchObject({
      digest,
      version: "1.2.3",
      task: { labels: ["person", "bicycle"] },
    });
    flip(join(rooms.folder, "centernet.bin"), 0);
    const failed = insitu("verify", rooms.folder);
    expect(failed).toMatchObject({ status: 1, stdout: "" });
    expect(failed.stderr).toMatch(/^insitu: .* the SHA-256 of centernet\.bin differs/);
  });

  it("records a self-test and runs it again", () => {
    const packed = insitu("pack", DIGITS, "--out", rooms.folder, ...ABOUT_DIGITS);
    expect(packed).toMatchObject({ status: 0, stdout: expect.stringContaining("selftest self-test-1.input.json") });
    expect(packed.stderr).toMatch(
      /^self-test 1 of 1: running the model on cpu[^\n]*\nself-test 1 of 1: took [\d.]+ s[^\n]*\nself-test 1 of 1: recorded with noise \(seed 0\)\nplan: plan-run\.json, the outputs for image \[1, 28, 28, 1\]: [^\n]*\n$/,
    );
    const passed = insitu("verify", rooms.folder, "--self-test");
    expect(passed).toMatchObject({ status: 0, stderr: "" });
    expect(passed.stdout).toContain(
      "passed   self-test 1 on cpu, largest error 0.0e+0\npassed   plan on 1 self-test\n",
    );
  });

  it("packs with defaults, and prints what it found before that", () => {
    const packed = insituIn(rooms.root, "pack", DIGITS, "--no-self-test", "--no-plan");
    expect(packed).toMatchObject({ status: 0, stderr: "" });
    const [draft, result] = packed.stdout.split("\n\n");
    expect(draft).toMatch(
      /^format {3}tfjs-graph-model.*\ninput .*\noutput .*\ntask {5}raw \(.*\)\nout {6}public\/models\/package$/,
    );
    expect(result).toContain("package 1.0.0, release 1");
    expect(existsSync(join(rooms.root, "public/models/package/insitu.json"))).toBe(true);
  });

  it("exits with 1 and the commands for a model of another format", () => {
    const model = rooms.write("model.onnx", "\x08\x08\x12\x07pytorch");
    const failed = insitu("pack", model);
    expect(failed).toMatchObject({ status: 1, stdout: "" });
    expect(failed.stderr).toMatch(/^insitu: .*model\.onnx is an ONNX model\.\n(.*\n)* {2}onnx2tf -i model\.onnx/);
  });

  it("exits with 1 for weights that fail the self-test", async () => {
    await packModel({ model: DIGITS, out: rooms.folder, name: "digits", version: "1.0.0" });
    // Changing its highest byte scales a weight of the first layer by a factor of 2^64 or more.
    const weights = join(rooms.folder, "weights.bin");
    const bytes = readFileSync(weights);
    bytes[3] = (bytes[3] ?? 0) ^ 0x60;
    writeFileSync(weights, bytes);
    republish(rooms.folder, () => undefined);
    expect(insitu("verify", rooms.folder).status).toBe(0);
    const failed = insitu("verify", rooms.folder, "--self-test");
    expect(failed).toMatchObject({ status: 1, stdout: "" });
    expect(failed.stderr).toMatch(/^insitu: .*the self-test failed: cpu gave /);
  });

  it("packs without a self-test, which verify reports when it should run one", () => {
    expect(insitu("pack", DIGITS, "--out", rooms.folder, ...ABOUT_DIGITS, "--no-self-test", "--no-plan")).toMatchObject(
      {
        status: 0,
        stderr: "",
      },
    );
    expect(insitu("verify", rooms.folder, "--self-test").stderr).toContain("has no self-test to run");
  });

  it.each([
    ["no command", []],
    ["an unknown command", ["bake"]],
    ["an unknown option", ["verify", ".", "--fast"]],
    ["no folder", ["verify"]],
    ["no model", ["pack"]],
    [
      "a release that is not a number",
      ["pack", CENTERNET, "--out", "x", "--name", "x", "--version", "1.0.0", "--release", "two"],
    ],
    [
      "a version that is not semantic",
      ["pack", CENTERNET, "--out", "x", "--name", "x", "--version", "1", "--no-self-test", "--no-plan"],
    ],
    [
      "an expiry that is not a time",
      [
        "pack",
        CENTERNET,
        "--out",
        "x",
        "--name",
        "x",
        "--version",
        "1.0.0",
        "--expires",
        "soon",
        "--no-self-test",
        "--no-plan",
      ],
    ],
  ])("exits with 2 for %s, and says what to do", (_why, args) => {
    const { status, stdout, stderr } = insitu(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(args.length > 0 ? /^insitu: [^\n]+\nRun "insitu [^\n]*--help" [^\n]+\n$/ : /^Usage: insitu/);
  });

  it("exits with 1 and a message of one line for a package that does not exist", () => {
    expect(insitu("verify", join(rooms.root, "none"))).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^insitu: [^\n]+\n$/),
    });
  });

  it("prints help with an example for each command, and its version", () => {
    for (const command of ["pack", "verify", "inspect"]) {
      expect(insitu(command, "--help")).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(new RegExp(`Examples?:\\n  insitu ${command} `)),
      });
    }
    const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(insitu("--version")).toMatchObject({ status: 0, stdout: `${version}\n` });
  });
});
