// The recipe for Solid in a page.
import { createComponent } from "solid-js";
import { render } from "solid-js/web";
import { Classifier } from "./recipes/Classifier.solid.jsx";

render(() => createComponent(Classifier, { url: "/models/digits/" }), document.querySelector("#app"));
