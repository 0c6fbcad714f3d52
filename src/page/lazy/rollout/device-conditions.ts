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

export function watchDevice(): DeviceConditions {
  const extras = navigator as Extras;
  /** `asking`: the browser has a battery, whose state is not known yet. */
  let battery: Battery | "asking" | undefined;
  if (extras.getBattery) {
    battery = "asking";
    // It is kept up to date by the browser. Refused by a permissions policy: as where there is none.
    extras.getBattery().then(
      (found) => {
        battery = found;
      },
      () => {
        battery = undefined;
      },
    );
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
