// Solid: names what is in a picture that the user picks.
import { createClient } from "insitu";
import { createEffect, createSignal, onCleanup } from "solid-js";

export function Classifier(props) {
  const [file, setFile] = createSignal();
  const [result, setResult] = createSignal("Pick a picture");
  const client = createClient();
  const loading = client.load(props.url, { task: "classification" });
  loading.catch(({ message }) => setResult(message));

  async function read(picked, signal) {
    const work = loading.then((model) => model.predict(picked, { signal }));
    const text = await work.then(({ value }) => value[0].label).catch(({ message }) => message);
    if (!signal.aborted) setResult(text);
  }
  createEffect(() => {
    const controller = new AbortController();
    onCleanup(() => controller.abort());
    if (file()) read(file(), controller.signal);
  });
  onCleanup(() => client.dispose());
  const pick = <input type="file" accept="image/*" onChange={({ target }) => setFile(target.files[0])} />;
  return [pick, " ", <output key="result">{result()}</output>];
}
