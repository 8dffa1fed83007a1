// When a client is not listened to: because it does not read what we send, or because publishers are blocked.
import type { Socket } from 'node:net';

export class Throttle {
  private choked = false;
  private held = false;

  constructor(private readonly socket: Socket) {}

  /** Whether a publisher is blocked. */
  get blocked(): boolean {
    return this.held;
  }

  get deaf(): boolean {
    return this.choked || this.held;
  }

  /** Too much is unsent; reading more requests would only add to it. */
  choke(choked: boolean): void {
    this.choked = choked;
    this.apply();
  }

  block(blocked: boolean): void {
    this.held = blocked;
    this.apply();
  }

  private apply(): void {
    if (this.deaf) this.socket.pause();
    else if (this.socket.isPaused()) this.socket.resume();
  }
}
