// When the broker stops reading from a client: it does not read what the broker sends, or publishers are blocked.
import type { Socket } from 'node:net';

export class Throttle {
  private choked = false;
  private held = false;
  private frozen = false;

  constructor(
    private readonly socket: Socket,
    /** Tells the client, if it understands that: the reason, or undefined when it may go on. */
    private readonly tell: (reason: string | undefined) => void,
  ) {}

  /** Whether a publisher is blocked. */
  get blocked(): boolean {
    return this.held;
  }

  /** Whether nothing of the client is heard, so that its silence means nothing. */
  get deaf(): boolean {
    return this.held || this.frozen;
  }

  /** Too much is unsent; reading more requests would only add to it. */
  choke(choked: boolean): void {
    if (!choked && !this.choked) return;
    this.choked = choked;
    this.apply();
  }

  /** Reads from a client that does not read, until `choke` is called again: it may be alive. */
  listen(): void {
    if (this.choked && !this.deaf) this.socket.resume();
  }

  /** A test wants it. */
  freeze(frozen: boolean): void {
    if (frozen === this.frozen) return;
    this.frozen = frozen;
    this.apply();
  }

  block(reason: string): void {
    if (this.held) return;
    this.held = true;
    this.apply();
    this.tell(reason);
  }

  unblock(): void {
    if (!this.held) return;
    this.held = false;
    this.apply();
    this.tell(undefined);
  }

  /** The connection ends; whatever was held back must be heard to the end. */
  open(): void {
    this.held = false;
    this.choked = false;
    this.apply();
  }

  private apply(): void {
    if (this.choked || this.deaf) this.socket.pause();
    else if (this.socket.isPaused()) this.socket.resume();
  }
}
