// Orders refreshes that overlap: each asks the worker first, and an older one may get its answers last.

export class Refreshes {
  #started = 0;
  /** The newest refresh that was shown, or that must not be shown any more. */
  #done = 0;

  /** Returns a function to call before showing: it is false if a newer refresh was shown meanwhile. */
  start(): () => boolean {
    this.#started += 1;
    const mine = this.#started;
    return () => {
      if (mine <= this.#done) return false;
      this.#done = mine;
      return true;
    };
  }

  /** Those that have started are not shown: they may have asked before a change that was made now. */
  outdate(): void {
    this.#done = this.#started;
  }
}
