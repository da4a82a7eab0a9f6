/** Work that is done in steps on a shared thread. */
export interface Runnable {
  /**
   * Works until `shouldYield` ends its turn (`ready`: there is more to do) or until it has to wait (`blocked`:
   * something will wake it). Never throws.
   */
  run(shouldYield: () => boolean): 'ready' | 'blocked';
}

/** Runs runnables in turn. */
export interface Wakeable {
  /** Gives `runnable` a turn soon, never on this stack. Several calls before the turn count as one. */
  wake(runnable: Runnable): void;
}
