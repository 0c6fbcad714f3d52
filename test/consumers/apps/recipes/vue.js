// The recipe for Vue in a page.
import { createApp } from "vue";
import Classifier from "./recipes/Classifier.vue";

createApp(Classifier, { url: "/models/digits/" }).mount("#app");
