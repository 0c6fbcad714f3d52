// Angular 20: names what is in a picture that the user picks.
import { Component, computed, input, type OnDestroy, signal } from "@angular/core";
import { createClient } from "insitu";

@Component({
  selector: "app-classifier",
  template: `<input #pick type="file" accept="image/*" (change)="read(pick.files![0])" /> <output>{{ result() }}</output>`,
})
export class Classifier implements OnDestroy {
  readonly url = input.required<string>();
  readonly result = signal("Pick a picture");
  private readonly client = createClient();
  private readonly loading = computed(() => this.client.load(this.url(), { task: "classification" }));
  private stop = new AbortController();

  async read(file: File) {
    this.stop.abort();
    this.stop = new AbortController();
    const { signal } = this.stop;
    const work = this.loading().then((model) => model.predict(file, { signal }));
    const text = await work.then(({ value }) => value[0]?.label ?? "").catch(({ message }) => message);
    if (!signal.aborted) this.result.set(text);
  }
  ngOnDestroy = () => void this.client.dispose();
}
