// <insitu-classifier model="/models/digits/"><img src="photo.png" alt=""></insitu-classifier>, for pages without a build.
import { createClient } from "insitu";

const client = createClient();

class InsituClassifier extends HTMLElement {
  async connectedCallback() {
    this.stop = new AbortController();
    const { signal } = this.stop;
    const output = this.querySelector("output") ?? this.appendChild(document.createElement("output"));
    try {
      this.model ??= await client.load(this.getAttribute("model"), { task: "classification", signal });
      const { value } = await this.model.predict(this.querySelector("img"), { signal });
      output.value = value[0].label;
      this.dispatchEvent(new CustomEvent("prediction", { detail: value, bubbles: true }));
    } catch (error) {
      if (!signal.aborted) output.value = error.message;
    }
  }
  disconnectedCallback() {
    this.stop.abort();
  }
}
customElements.define("insitu-classifier", InsituClassifier);
