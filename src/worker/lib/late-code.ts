// Code that lies in a file of its own, since few visits need it. The worker's entry says how each such file is loaded.

export interface LateCode<Exports> {
  /** Loads the code, or returns what was loaded before. Rejects where the file cannot be had. */
  (): Promise<Exports>;
  /** To be called before the first use. */
  provide(load: () => Promise<Exports>): void;
}

export function lateCode<Exports>(): LateCode<Exports> {
  let load = (): Promise<Exports> => Promise.reject(new Error("not provided"));
  const provide = (given: () => Promise<Exports>) => {
    load = given;
  };
  return Object.assign(() => load(), { provide });
}
