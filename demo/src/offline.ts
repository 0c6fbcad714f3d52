// Registers the service worker that caches the page for offline use.
import { registerSW } from "virtual:pwa-register";
import { byId } from "./dom.js";

/** The service worker does not cache the models: insitu stores them itself. */
export function keepForOffline(): void {
  const line = byId("offline", HTMLElement);
  const show = (text: string) => line.after(Object.assign(document.createElement("p"), { textContent: text }));
  if (!("serviceWorker" in navigator)) {
    show("This browser cannot store pages, so the demo needs the network on every visit.");
    return;
  }
  registerSW({
    immediate: true,
    onOfflineReady: () => show("Stored on this device: the next visit works offline."),
    onRegisterError: () => show("The page could not be stored for offline use."),
  });
}
