// The address of a package in the page's own address: `?model=URL`, relative to the page.
import { InsituError } from "insitu";

/** The package that the page was opened for; null if there is none. Throws `input_invalid` for what is no address. */
export function askedModel(): URL | null {
  const given = new URLSearchParams(location.search).get("model")?.trim();
  if (!given) return null;
  if (!URL.canParse(given, location.href))
    throw new InsituError("input_invalid", `${JSON.stringify(given)} is not an address.`);
  return new URL(given, location.href);
}

/** On another page `?model=URL` opens the page of models. */
export function redirectToModel(): void {
  if (new URLSearchParams(location.search).has("model")) location.replace(`/model.html${location.search}`);
}
