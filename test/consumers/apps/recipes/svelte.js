// The recipe for Svelte in a page.
import { mount } from "svelte";
import Classifier from "./recipes/Classifier.svelte";

mount(Classifier, { target: document.querySelector("#app"), props: { url: "/models/digits/" } });
