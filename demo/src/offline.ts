// Registers the service worker that keeps the page itself for visits without a network.
import { registerSW } from "virtual:pwa-register";
import { byId } from "./dom.js";

/** The models are not its business: insitu keeps them itself. */
export function keepForOffline(): void {
  const line = byId("offline", HTMLElement);
  const told = (text: string) => line.after(Object.assign(document.createElement("p"), { textContent: text }));
  if (!("serviceWorker" in navigator)) {
    told("This browser keeps no pages: the demo needs the network on each visit.");
    return;
  }
  registerSW({
    immediate: true,
    onOfflineReady: () => told("Kept on this device: the next visit works without a network."),
    onRegisterError: () => told("The page could not be kept for visits without a network."),
  });
}
