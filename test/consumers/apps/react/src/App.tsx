// Components that share a model and predict what the test hands them.
import { useState } from "react";
import { Reader } from "./Reader";

/** What the test decides: which components are there, their model and their input. */
export interface Scene {
  readers: number;
  url?: string;
  input?: Float32Array;
  top?: number;
}

declare global {
  interface Window {
    show(scene: Scene): void;
  }
}

export function App() {
  const [{ readers, ...scene }, setScene] = useState<Scene>({ readers: 0 });
  window.show = setScene;
  return Array.from({ length: readers }, (_, index) => (
    <Reader key={String(index)} id={`reader-${index}`} {...scene} />
  ));
}
