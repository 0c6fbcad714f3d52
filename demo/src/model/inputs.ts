// The fields for a model's inputs: pictures, or numbers as text.
import { type DType, type ImageInput, type InputSpec, InsituError, type NumbersInput, type TypedArray } from "insitu";
import { make } from "../dom.js";

export interface InputField {
  element: HTMLElement;
  /** Rejects with `input_invalid` for text that is not numbers. */
  read(): Promise<NumbersInput | ImageInput>;
}

const SAMPLES = ["chelsea", "several", "coffee", "astronaut", "rocket"];
/** A longer list of zeros would fill the page; nothing written counts as zeros too. */
const MAX_WRITTEN = 200;

/** Without the batch; an open size counts as 1, since there the caller chooses. */
const sizeOf = ({ shape }: InputSpec): number => shape.slice(1).reduce((all, size) => all * Math.max(1, size), 1);

const shapeText = ({ shape }: InputSpec): string => shape.map((size) => (size < 0 ? "any" : size)).join(" × ");

/** `onPicture` is called when a picture is chosen. */
export function inputField(spec: InputSpec, onPicture: () => void): InputField {
  return spec.image ? pictureField(spec, onPicture) : numbersField(spec);
}

function pictureField(spec: InputSpec, onPicture: () => void): InputField {
  let chosen: Blob | undefined;
  const list = make("select");
  list.append(...SAMPLES.map((sample) => make("option", "", sample)));
  const file = make("input");
  file.type = "file";
  file.accept = "image/*";
  list.addEventListener("change", () => {
    chosen = undefined;
    file.value = "";
    onPicture();
  });
  file.addEventListener("change", () => {
    chosen = file.files?.[0];
    if (chosen) onPicture();
  });
  const element = make(
    "fieldset",
    "input",
    make("legend", "", `${spec.name}: a picture, ${shapeText(spec)}`),
    make("label", "", "Sample ", list),
    make("label", "", "or a file ", file),
  );
  return { element, read: async () => chosen ?? samplePhoto(list.value) };
}

async function samplePhoto(name: string): Promise<Blob> {
  const response = await fetch(`/photos/${name}.jpg`);
  if (!response.ok) throw new Error(`The sample photo ${name}.jpg could not be loaded: HTTP ${response.status}.`);
  return response.blob();
}

function numbersField(spec: InputSpec): InputField {
  const size = sizeOf(spec);
  const text = make("textarea");
  text.rows = 4;
  text.spellcheck = false;
  text.placeholder = `${size} zeros`;
  if (size <= MAX_WRITTEN) text.value = new Array(size).fill(0).join(" ");
  const title = `${spec.name}: ${size} numbers of type ${spec.dtype}, shape ${shapeText(spec)}`;
  const element = make("label", "input", title, text);
  return {
    element,
    read: async () => shaped(numbersOf(text.value, spec, size), spec),
  };
}

/** Of several open sizes the last takes all numbers; of one the library knows it from their count. */
function shaped(data: TypedArray, { shape }: InputSpec): NumbersInput {
  const last = shape.lastIndexOf(-1);
  if (shape.indexOf(-1, 1) === last) return data;
  const fixed = shape.reduce((all, size) => all * Math.abs(size), 1);
  return { data, shape: shape.map((size, axis) => (axis === last ? data.length / fixed : Math.abs(size))) };
}

function numbersOf(text: string, { name, dtype }: InputSpec, size: number): TypedArray {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  const numbers = words.length === 0 ? new Array<number>(size).fill(0) : words.map(Number);
  const wrong = words.find((word) => Number.isNaN(Number(word)) && word !== "NaN");
  if (wrong !== undefined)
    throw new InsituError("input_invalid", `The input ${name} needs numbers; ${JSON.stringify(wrong)} is none.`);
  return ARRAYS[dtype].from(numbers);
}

const ARRAYS: Record<DType, { from(numbers: number[]): TypedArray }> = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Uint8Array,
};
