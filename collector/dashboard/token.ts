// Asks for the read token, and keeps it for as long as the tab lives.
import { make, write } from "./dom.js";

const NAME = "insitu-read-token";

// Where the browser forbids storage, the token lasts until the next load of the page.
let inMemory: string | null = null;

export function readToken(): string | null {
  try {
    return sessionStorage.getItem(NAME) ?? inMemory;
  } catch {
    return inMemory;
  }
}

export function keepToken(token: string | null): void {
  inMemory = token;
  try {
    if (token === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, token);
  } catch {
    // Kept in memory.
  }
}

export function createPrompt(onToken: (token: string) => void): { element: HTMLElement; show(message: string): void } {
  const input = make("input");
  input.id = "token";
  input.type = "password";
  input.autocomplete = "off";
  input.required = true;
  const label = make("label", "", "Read token");
  label.htmlFor = input.id;
  const status = make("p", "said");
  status.id = "token-said";
  input.setAttribute("aria-describedby", status.id);
  const button = make("button", "strong", "Show the figures");
  const why =
    "The collector was started with --read-token. The token stays in this tab and goes to this collector only.";
  const row = make("div", "row", input, button);
  const form = make(
    "form",
    "card",
    make("h2", "", "This collector asks for its read token"),
    make("p", "", why),
    label,
    row,
    status,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onToken(input.value.trim());
  });
  return {
    element: form,
    show(message) {
      const first = form.dataset.shown !== "yes";
      form.dataset.shown = "yes";
      // Before anybody typed a token, "missing or wrong" would read as a reproach.
      write(status, readToken() === null ? "" : message);
      if (first) input.focus();
    },
  };
}
