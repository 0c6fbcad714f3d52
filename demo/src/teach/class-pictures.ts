// The pictures of one class: a button for each, which removes it. A picture keeps its button as long as it is there.
import type { PersonalExample } from "insitu";
import { make } from "../dom.js";
import { actionButton } from "./action-button.js";

interface Picture {
  item: HTMLLIElement;
  button: HTMLButtonElement;
  /** What the button shows: the address of its picture, or its number. */
  content: string;
}

export class ClassPictures {
  readonly list = make("ul", "thumbs");
  readonly #remove: (id: string) => Promise<void>;
  /** By the example's id. */
  readonly #pictures = new Map<string, Picture>();

  constructor(label: string, remove: (id: string) => Promise<void>) {
    this.list.setAttribute("aria-label", `Pictures of ${label}`);
    this.#remove = remove;
  }

  /** `thumbnails` has one entry for each example, undefined if there is no picture of it. */
  show(examples: PersonalExample[], thumbnails: (string | undefined)[]): void {
    const ids = new Set(examples.map(({ id }) => id));
    for (const [id, { item }] of this.#pictures) {
      if (ids.has(id)) continue;
      item.remove();
      this.#pictures.delete(id);
    }
    for (const [index, example] of examples.entries()) {
      const picture = this.#pictures.get(example.id) ?? this.#add(example.id);
      update(picture, example, index, thumbnails[index]);
      const there = this.list.children[index];
      if (there !== picture.item) this.list.insertBefore(picture.item, there ?? null);
    }
  }

  #add(id: string): Picture {
    const button = actionButton("", "", () => this.#remove(id));
    const picture = { item: make("li", "", button), button, content: "" };
    this.#pictures.set(id, picture);
    return picture;
  }
}

/** Changes only what is different: the picture must not be decoded, or the label read out, at each refresh. */
function update(picture: Picture, { label, heldOut }: PersonalExample, index: number, url: string | undefined): void {
  const { button } = picture;
  const number = String(index + 1);
  const words = `Remove picture ${number} of ${label}${heldOut ? ", held out from training" : ""}`;
  if (button.ariaLabel !== words) button.setAttribute("aria-label", words);
  button.className = heldOut ? "thumb held" : "thumb";
  button.title = heldOut ? "Held out: used to measure accuracy only. Click to remove." : "Click to remove.";
  const content = url ?? number;
  if (picture.content === content) return;
  picture.content = content;
  button.replaceChildren(url ? pictureOf(url) : make("span", "blank", number));
}

function pictureOf(url: string): HTMLImageElement {
  const image = make("img");
  image.src = url;
  image.alt = "";
  return image;
}
