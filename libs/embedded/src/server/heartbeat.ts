// Detects dead clients. None of the timers keeps the process alive.
const startInterval = setInterval;
const stopInterval = clearInterval;
const startTimer = setTimeout;
const stopTimer = clearTimeout;

/** How long a client may take for its handshake and for its reply to connection.close, in ms. */
const CLIENT_TIMEOUT = 10_000;

/**
 * Heartbeats of one connection: something is sent at least every half interval, and a client that was silent for two
 * intervals is dead.
 */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  private heard = true;
  private silentTurns = 0;

  constructor(
    private readonly send: () => void,
    private readonly onDead: () => void,
    /** Listens to the client. True while the broker itself does not read (a blocked publisher): silence means nothing. */
    private readonly deaf: () => boolean,
  ) {}

  /** Seconds; 0 switches heartbeats off. */
  start(seconds: number): void {
    this.stop();
    if (seconds > 0) this.timer = startInterval(() => this.turn(), (seconds * 1000) / 2).unref();
  }

  /** Bytes came. */
  touch(): void {
    this.heard = true;
  }

  stop(): void {
    if (this.timer) stopInterval(this.timer);
    this.timer = undefined;
  }

  private turn(): void {
    this.send();
    this.silentTurns = this.heard || this.deaf() ? 0 : this.silentTurns + 1;
    this.heard = false;
    if (this.silentTurns >= 4) this.onDead();
  }
}

/** Disconnects a client that does not answer in time. */
export class ClientTimeout {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onOver: () => void) {}

  /** Starts anew. */
  start(): void {
    this.stop();
    this.timer = startTimer(this.onOver, CLIENT_TIMEOUT).unref();
  }

  stop(): void {
    if (this.timer) stopTimer(this.timer);
    this.timer = undefined;
  }
}
