// Time as a value that is passed in, so that tests move it instead of waiting for it.

/** Now, and timers. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once after `ms`; returns what cancels it. Keeps the process alive only when told to. */
  after(ms: number, callback: () => void, keepAlive?: boolean): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback, keepAlive = false) {
    const timer = setTimeout(callback, ms);
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};
