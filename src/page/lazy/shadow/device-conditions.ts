// Says whether this device may do work now that nobody waits for: not on saved data, a low battery, little memory, or in a hidden page.

/** Parts of the browser that TypeScript's types lack, since not all browsers have them. */
interface Extras {
  connection?: { saveData?: boolean };
  deviceMemory?: number;
  getBattery?: () => Promise<Battery>;
}
interface Battery {
  charging: boolean;
  /** 0 to 1. */
  level: number;
}
interface HeapInfo {
  usedJSHeapSize: number;
  jsHeapSizeLimit: number;
}

export interface DeviceConditions {
  /** The reason why not, or undefined. Costs a few property reads. */
  problem(): string | undefined;
}

// Phones and laptops switch their battery saver on at 15 to 20 %, which pages cannot see.
const LOW_BATTERY = 0.25;
// Gigabytes, rounded down to a power of two by the browser. A second worker with a model costs some 0.1.
const LITTLE_MEMORY = 2;
const FULL_HEAP = 0.8;
const ANSWER_MS = 2_000;

export function watchDevice(): DeviceConditions {
  const extras = navigator as Extras;
  let battery: Battery | "asking" | undefined = extras.getBattery ? "asking" : undefined;
  if (battery) {
    // It is kept up to date by the browser.
    void askBattery(extras).then((found) => {
      battery = found;
    });
  }
  return {
    problem() {
      if (extras.connection?.saveData) return "the visitor saves data";
      if (battery === "asking") return "the state of the battery is not known yet";
      if (battery && !battery.charging && battery.level <= LOW_BATTERY) return "the battery is low";
      if ((extras.deviceMemory ?? Number.POSITIVE_INFINITY) <= LITTLE_MEMORY) return "the device has little memory";
      const heap = (performance as { memory?: HeapInfo }).memory;
      if (heap && heap.usedJSHeapSize > FULL_HEAP * heap.jsHeapSizeLimit) return "the page's memory is nearly full";
      return globalThis.document?.visibilityState === "hidden" ? "the page is hidden" : undefined;
    },
  };
}

/** Undefined where a policy of the page forbids the question, or the browser does not answer it. */
async function askBattery(extras: Extras): Promise<Battery | undefined> {
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ANSWER_MS));
  try {
    return await Promise.race([extras.getBattery?.(), late]);
  } catch {
    return undefined;
  }
}
