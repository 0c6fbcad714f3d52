// Shows the app under StrictMode, with what the test sets from outside.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "../read-digit.js";

createRoot(document.querySelector("#root") as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
