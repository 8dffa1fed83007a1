// When an application under test has done what it can do without time passing: then a test may move time on.

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Waits for what is under way. What does not end within `patience` ms of real time waits for something that only time
 * brings (or for ever), and is not waited for again until something changes.
 */
export class Settling {
  private waitsForTime = '';

  constructor(
    /** What is under way, in words. */
    private readonly underWay: () => readonly string[],
    private readonly patience: number,
  ) {}

  async settled(): Promise<void> {
    let before = '';
    for (let since = performance.now(); ; await nextTurn()) {
      const now = this.underWay().join();
      if (now === '' || now === this.waitsForTime) break;
      if (now !== before) [before, since] = [now, performance.now()];
      else if (performance.now() - since > this.patience) this.waitsForTime = now;
    }
  }
}
