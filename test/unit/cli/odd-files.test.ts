// Files that pack cannot read as they are, and options that do not fit the model: the error names what it is, and the way out.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type PackOptions, packModel } from "../../../src/cli/pack.js";
import { insitu } from "../../support/cli.js";
import { useRooms } from "../../support/packages.js";

const CASES = "test/fixtures/cases";
const rooms = useRooms();
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12345\n`;

/** A copy of a case that a test may change. */
function copyOf(name: string): string {
  const folder = join(rooms.root, `${name}-copy`);
  cpSync(join(CASES, name), folder, { recursive: true });
  return folder;
}

const pack = (name: string, more: Partial<PackOptions> = {}) =>
  packModel({ model: join(CASES, name), out: rooms.folder, ...more });

const write = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(rooms.root, name), bytes);
  return join(rooms.root, name);
};

describe("text in UTF-16", () => {
  const utf16 = (text: string, mark: boolean, isBig = false) => {
    const bytes = Buffer.from((mark ? "\uFEFF" : "") + text, "utf16le");
    return isBig ? bytes.swap16() : bytes;
  };
  const refused = { code: "input_invalid", message: expect.stringMatching(/is text in UTF-16.*Save it as UTF-8/) };

  it.each([
    ["with a mark", true, false],
    ["with a mark, big-endian", true, true],
    ["without a mark", false, false],
    ["without a mark, big-endian", false, true],
  ])("%s is named as such, as model, labels, task and self-test", async (_, mark, isBig) => {
    const of = (text: string) => utf16(text, mark, isBig);
    const folder = copyOf("sigmoid");
    const file = join(folder, "model.json");
    writeFileSync(file, of(readFileSync(file, "utf8")));
    await expect(packModel({ model: folder, out: rooms.folder })).rejects.toMatchObject(refused);
    const labels = write("labels.txt", of("no\nyes\n"));
    await expect(pack("sigmoid", { labels })).rejects.toMatchObject(refused);
    const task = write("task.json", of('{ "kind": "raw" }'));
    await expect(pack("sigmoid", { task })).rejects.toMatchObject(refused);
    const selfTest = [write("input.json", of('{ "x": {} }'))];
    await expect(pack("sigmoid", { selfTest })).rejects.toMatchObject(refused);
  });

  it("is not seen in text of other scripts, nor in UTF-8 with a mark", async () => {
    const labels = write("labels.txt", "\uFEFFнет\nда\n");
    expect((await pack("sigmoid", { labels })).task).toMatchObject({ labels: ["нет", "да"] });
  });
});

describe("a pointer of Git LFS", () => {
  const refused = { code: "input_invalid", message: expect.stringMatching(/is a Git LFS pointer.*git lfs pull/) };

  it.each(["model.json", "weights.bin"])("in place of %s is named as such", async (name) => {
    const folder = copyOf("sigmoid");
    writeFileSync(join(folder, name), POINTER);
    await expect(packModel({ model: folder, out: rooms.folder })).rejects.toMatchObject(refused);
  });

  it("in place of labels or a self-test's image is named as such", async () => {
    const pointer = write("pointer.jpg", POINTER);
    await expect(pack("sigmoid", { labels: pointer })).rejects.toMatchObject(refused);
    await expect(pack("sigmoid", { selfTest: [pointer] })).rejects.toMatchObject(refused);
  });
});

describe("a damaged model.json", () => {
  const change = (before: RegExp, after: string) => {
    const folder = copyOf("seqlen");
    const file = join(folder, "model.json");
    const text = readFileSync(file, "utf8");
    expect(text).toMatch(before);
    writeFileSync(file, text.replace(before, after));
    return packModel({ model: folder, out: rooms.folder });
  };

  it.each([
    ["a size that is a text", /"batch_input_shape": \[null, null\]/, '"batch_input_shape": [null, "x"]'],
    ["a shape that is none", /"batch_input_shape": \[null, null\]/, '"batch_input_shape": 7'],
    ["a size of -3", /"output_dim": 4/, '"output_dim": -3'],
    ["a size that the weights do not have", /"input_dim": 20/, '"input_dim": 21'],
    ["a layer without units", /"units": 3/, '"units": null'],
  ])("%s is not blamed on the format", async (_, before, after) => {
    const error = await change(before, after).then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: "model_format" });
    expect(error?.message).not.toMatch(/tensorflowjs_converter|SavedModel/);
    expect(error?.message).toMatch(/Save or convert the model again/);
  });
});

describe("--self-test", () => {
  it.each([
    [
      "an audio file",
      Buffer.from("RIFF\x24\x00\x00\x00WAVEfmt ", "latin1"),
      /takes a JPEG or PNG image, or a JSON file/,
    ],
    ["a WebP image", Buffer.from("RIFF\x24\x00\x00\x00WEBPVP8 ", "latin1"), /looks like a WebP image: save it as PNG/],
    [
      "an HEIC image",
      Buffer.from("\x00\x00\x00\x18ftypheic", "latin1"),
      /looks like a AVIF or HEIC image: save it as PNG/,
    ],
    ["a NumPy array", Buffer.from("\x93NUMPY\x01\x00", "latin1"), /takes a JPEG or PNG image, or a JSON file/],
    ["comma-separated values", Buffer.from("1,2,3\n"), /takes a JPEG or PNG image, or a JSON file/],
    ["an empty file", Buffer.alloc(0), /takes a JPEG or PNG image, or a JSON file/],
  ])("says for %s which kinds it takes", async (_, bytes, words) => {
    const selfTest = [write("own.file", bytes)];
    await expect(pack("sigmoid", { selfTest })).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringMatching(words),
    });
  });
});

describe("labels for one unit", () => {
  it.each([3, 5])("%i of them are refused with what one number can be", async (count) => {
    const names = Array.from({ length: count }, (_, index) => `class ${index}`);
    const refused = {
      code: "input_invalid",
      message: expect.stringMatching(/score of the second of two classes: list two labels.*"regression"/),
    };
    await expect(pack("sigmoid", { labels: write("labels.txt", names.join("\n")) })).rejects.toMatchObject(refused);
    await expect(pack("sigmoid", { task: { kind: "classification", labels: names } })).rejects.toMatchObject(refused);
  });
});

describe("an embedding that the model does not have", () => {
  it("is refused with the nearest names", async () => {
    const packed = pack("seqlen", { task: { embedding: { node: "embed" } } });
    await expect(packed).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringMatching(/has no layer named embed, .*layers are emb, /),
    });
  });
});

describe("the command", () => {
  it("says which of two outputs a regression takes", () => {
    const task = rooms.write("regression.json", { kind: "regression" });
    const { stdout } = insitu("pack", join(CASES, "twoheads"), "--out", rooms.folder, "--task", task);
    expect(stdout).toMatch(
      /^task +regression, of the output age \(not gender: "output" in the task chooses\) \(declared\)$/m,
    );
    const chosen = rooms.write("chosen.json", { kind: "regression", output: "gender" });
    const other = insitu("pack", join(CASES, "twoheads"), "--out", rooms.folder, "--task", chosen);
    expect(other.stdout).toMatch(/^task +regression, of the output gender \(not age/m);
    expect(insitu("inspect", rooms.folder).stdout).toMatch(/^task +regression, of the output gender /m);
  });

  it("warns of a package that has expired, and writes it", () => {
    const args = ["pack", join(CASES, "sigmoid"), "--out", rooms.folder, "--no-self-test", "--no-plan"];
    const expired = insitu(...args, "--expires", "2001-01-01");
    expect(expired).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("warning: the package expired on 2001-01-01"),
    });
    expect(insitu(...args, "--expires", "2999-01-01").stderr).toBe("");
  });
});

describe("tokens", () => {
  it("have the range of the table in which the model looks them up, and the self-test keeps to it", async () => {
    const lines: string[] = [];
    const { inputs } = await pack("seqlen", { onProgress: (line) => void lines.push(line) });
    expect(inputs).toEqual([{ name: "tokens", dtype: "float32", shape: [-1, -1], range: [0, 19] }]);
    expect(lines).toContain("self-test 1 of 1: recorded with noise (seed 0, tokens: numbers from 0 to 19)");
  });

  it("keep the range that the publisher declares", async () => {
    const { inputs } = await pack("seqlen", { task: { inputs: [{ name: "tokens", range: [1, 5] }] } });
    expect(inputs[0]?.range).toEqual([1, 5]);
    const wrong = pack("seqlen", { task: { inputs: [{ name: "tokens", range: [5, 1] }] } });
    await expect(wrong).rejects.toMatchObject({ code: "model_format", data: { field: "inputs[0].range" } });
  });

  it("have none where the model only computes with its numbers", async () => {
    expect((await pack("sigmoid")).inputs[0]).not.toHaveProperty("range");
    for (const { range } of (await pack("castout")).inputs) expect(range).toBeUndefined();
  });
});
