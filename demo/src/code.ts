// "Show the code": the lines that do what the page does, with the visitor's choices in them.
import { byId, make } from "./dom.js";
import type { Choice } from "./engine.js";

export interface CodeView {
  show(choice: Choice, minScore: number): void;
}

export function connectCode(): CodeView {
  const objects = createCode(byId("object-code", HTMLElement));
  const digits = createCode(byId("digit-code", HTMLElement));
  return {
    show(choice, minScore) {
      objects(objectCode(choice, minScore));
      digits(digitCode(choice));
    },
  };
}

/** Fills a closed part of the page with code and a button that copies it; returns what replaces the code. */
export function createCode(into: HTMLElement): (code: string) => void {
  const code = make("code");
  const block = make("pre", "", code);
  // It scrolls sideways, also by keyboard.
  block.tabIndex = 0;
  const copy = make("button", "button", "Copy");
  copy.type = "button";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent ?? "");
      copy.textContent = "Copied";
    } catch {
      // The browser does not allow it: the visitor can copy what is selected.
      getSelection()?.selectAllChildren(code);
      copy.textContent = "Selected: press Ctrl+C";
    }
  });
  into.replaceChildren(make("summary", "", "Show the code"), block, copy);
  return (text) => {
    code.textContent = text;
    copy.textContent = "Copy";
  };
}

/** The options of `createClient` that the page uses. */
export function clientCode(choice: Choice): string {
  const backends = choice === "auto" ? "" : `\n  backends: ["${choice}"],`;
  return `import { createClient } from "insitu";

const client = createClient({
  assets: { wasm: "/insitu/wasm/" },${backends}
});`;
}

function objectCode(choice: Choice, minScore: number): string {
  return `${clientCode(choice)}
const model = await client.load("/models/objects/", { task: "detection" });

const picture = document.querySelector("img");
const { value } = await model.predict(picture, { minScore: ${minScore} });
for (const { label, score, box } of value) console.log(label, score, box);
`;
}

function digitCode(choice: Choice): string {
  return `${clientCode(choice)}
const model = await client.load("/models/digits/", { task: "classification" });

// 28 x 28 numbers from 0 (background) to 1 (stroke), row by row.
const { value } = await model.predict(digit);
console.log(value[0].label, value[0].score);
`;
}
