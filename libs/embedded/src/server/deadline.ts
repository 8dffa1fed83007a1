// How long a client may take for what it owes: its handshake, its answer to connection.close.
const startTimer = setTimeout;
const stopTimer = clearTimeout;

/** Milliseconds. */
const PATIENCE = 10_000;

export class Deadline {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onOver: () => void) {}

  /** Starts anew. Does not keep the process alive. */
  start(): void {
    this.stop();
    this.timer = startTimer(this.onOver, PATIENCE).unref();
  }

  stop(): void {
    if (this.timer) stopTimer(this.timer);
    this.timer = undefined;
  }
}
