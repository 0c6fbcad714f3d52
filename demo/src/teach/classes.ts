// The classes that are taught: their cards, their pictures, and the ways that pictures come in.
import type { PersonalExample, PersonalModel } from "insitu";
import { byId, make } from "../dom.js";
import { hideFailure, showFailure } from "../failures.js";
import { say } from "../status.js";
import { cropOf, isSurface, SURFACES } from "./surfaces.js";
import { thumbnail } from "./thumbnails.js";

export interface Classes {
  /** What is taught now. */
  show(): Promise<void>;
  /** From now on the cards offer to take what `picture` shows; undefined: no longer. */
  capture(picture: (() => Promise<ImageBitmap>) | undefined): void;
  forgetPictures(): void;
}

const CROPS = 5;
// While the button is held: about as fast as a hand moves a thing.
const CAPTURE_MS = 250;

export function connectClasses(model: () => PersonalModel, onChange: () => void): Classes {
  const list = byId("classes", HTMLUListElement);
  const keep = byId("keep", HTMLInputElement);
  const form = byId("new-class", HTMLFormElement);
  const name = byId("class-name", HTMLInputElement);
  /** Named, with or without pictures. */
  const names = new Set<string>();
  /** Of this visit: the library keeps no picture unless asked. */
  const pictures = new Map<string, string>();
  let source: (() => Promise<ImageBitmap>) | undefined;

  const teach = async (label: string, inputs: (ImageBitmap | Blob)[]) => {
    hideFailure();
    try {
      for (const input of inputs) {
        const { id } = await model().addExample(input, label, { keep: keep.checked });
        pictures.set(id, await thumbnail(input));
      }
      say(`${inputs.length === 1 ? "A picture" : `${inputs.length} pictures`} of ${label} learned.`);
    } catch (error) {
      showFailure(error);
    } finally {
      for (const input of inputs) if (input instanceof ImageBitmap) input.close();
      onChange();
    }
  };

  const addCrops = async (surface: (typeof SURFACES)[number]) =>
    teach(surface, await Promise.all(Array.from({ length: CROPS }, () => cropOf(surface, "left"))));

  const card = (label: string, examples: PersonalExample[], thumbs: (string | undefined)[]) => {
    const title = make("h3", "", label);
    const count = make("span", "count", words(examples));
    const shown = make("ul", "thumbs");
    shown.setAttribute("aria-label", `Pictures of ${label}`);
    shown.append(...examples.map((example, index) => make("li", "", pictureButton(example, index, thumbs[index]))));
    const remove = button("Remove", `Remove the class ${label}`, async () => {
      names.delete(label);
      await model().remove({ label });
      name.focus();
      onChange();
    });
    const tools = make("div", "tools", ...adders(label), remove);
    return make("li", "class", make("div", "heading", title, count), shown, tools);
  };

  const adders = (label: string): HTMLElement[] => {
    const file = make("input", "unseen");
    file.type = "file";
    file.accept = "image/*";
    file.multiple = true;
    file.id = `file-${encodeURIComponent(label)}`;
    file.setAttribute("aria-label", `Choose pictures of ${label}`);
    file.addEventListener("change", () => void teach(label, [...(file.files ?? [])]));
    const choose = make("label", "button", "Choose pictures");
    choose.htmlFor = file.id;
    const all: HTMLElement[] = [file, choose];
    if (isSurface(label))
      all.push(button(`Add ${CROPS} crops`, `Add ${CROPS} crops of ${label}`, () => addCrops(label)));
    if (source) all.push(holdButton(label));
    return all;
  };

  /** Takes a picture at a press, and more while it is held. */
  const holdButton = (label: string) => {
    const hold = button("Hold to take pictures", `Hold to take pictures of ${label}`, () => undefined);
    let held: ReturnType<typeof setTimeout> | undefined;
    const take = async () => {
      const picture = await source?.();
      if (picture) await teach(label, [picture]);
    };
    const again = async () => {
      await take();
      if (held !== undefined) held = setTimeout(() => void again(), CAPTURE_MS);
    };
    const begin = () => {
      held ??= setTimeout(() => void again(), 0);
    };
    const end = () => {
      clearTimeout(held);
      held = undefined;
    };
    hold.addEventListener("pointerdown", begin);
    for (const type of ["pointerup", "pointerleave", "pointercancel", "blur"]) hold.addEventListener(type, end);
    hold.addEventListener("keydown", ({ key, repeat }) => {
      if ((key === " " || key === "Enter") && !repeat) void take();
    });
    return hold;
  };

  const pictureButton = ({ id, label, heldOut }: PersonalExample, index: number, url: string | undefined) => {
    const what = `Remove picture ${index + 1} of ${label}${heldOut ? ", held out from training" : ""}`;
    const inside = url ? make("img") : make("span", "blank", String(index + 1));
    if (inside instanceof HTMLImageElement) {
      inside.src = url ?? "";
      inside.alt = "";
    }
    const remove = button("", what, async () => {
      await model().remove(id);
      onChange();
    });
    remove.className = heldOut ? "thumb held" : "thumb";
    remove.title = heldOut ? "Held out: it only judges. Click to remove." : "Click to remove.";
    remove.replaceChildren(inside);
    return remove;
  };

  const thumbOf = async ({ id, kept }: PersonalExample): Promise<string | undefined> => {
    if (!pictures.has(id) && kept) {
      const blob = await model().kept(id);
      if (blob) pictures.set(id, await thumbnail(blob));
    }
    return pictures.get(id);
  };

  const add = (label: string) => {
    names.add(label);
    onChange();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const label = name.value.trim();
    if (label === "") return;
    name.value = "";
    add(label);
    say(`The class ${label} is there; now show it pictures.`);
  });
  byId("surfaces", HTMLButtonElement).addEventListener("click", async () => {
    for (const surface of SURFACES) names.add(surface);
    try {
      for (const surface of SURFACES) await addCrops(surface);
    } catch (error) {
      showFailure(error);
    }
  });

  return {
    async show() {
      const examples = await model().examples();
      for (const { label } of examples) names.add(label);
      const cards: HTMLElement[] = [];
      for (const label of names) {
        const mine = examples.filter((example) => example.label === label);
        cards.push(card(label, mine, await Promise.all(mine.map(thumbOf))));
      }
      const focused = document.activeElement?.getAttribute("aria-label");
      list.replaceChildren(...cards);
      byId("empty", HTMLElement).hidden = cards.length > 0;
      // What had the focus was made anew.
      if (focused)
        [...list.querySelectorAll<HTMLElement>("button")].find((each) => each.ariaLabel === focused)?.focus();
    },
    capture(picture) {
      source = picture;
      onChange();
    },
    forgetPictures() {
      names.clear();
      pictures.clear();
    },
  };
}

function words(examples: PersonalExample[]): string {
  const held = examples.filter(({ heldOut }) => heldOut).length;
  const many = examples.length === 1 ? "1 picture" : `${examples.length} pictures`;
  return held > 0 ? `${many}, ${held} held out` : many;
}

function button(text: string, label: string, run: () => void | Promise<void>): HTMLButtonElement {
  const made = make("button", "button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", async () => {
    try {
      await run();
    } catch (error) {
      showFailure(error);
    }
  });
  return made;
}
