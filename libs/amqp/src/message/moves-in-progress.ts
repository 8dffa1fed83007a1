// Messages that this process moves from their wait to a queue which it may consume itself. Between the two the broker has
// them twice: a handler that ends the process at once would leave the copy behind, every time, for ever. So it begins only
// when the broker has taken the ack of the wait.

import { randomUUID } from 'node:crypto';
import { HEADER } from './headers.js';
import type { ReceivedMessage } from './message.js';

/**
 * A move whose copy never arrives here, since another instance consumes it, is forgotten after this many later ones.
 */
const REMEMBERED = 1_000;

/** Resolves when the broker has the ack. */
type Taken = () => Promise<void>;

interface Move {
  /** There once the copy is confirmed and the ack is written. */
  taken: Taken | undefined;
  readonly waiting: (() => void)[];
}

/** One for all that moves and consumes in a broker object. */
export class MovesInProgress {
  private readonly prefix = randomUUID().slice(0, 8);
  private readonly moves = new Map<string, Move>();
  private count = 0;

  /** A move begins; the copy carries the id in `x-warren-move`. */
  begin(): string {
    const id = `${this.prefix}.${++this.count}`;
    this.moves.set(id, { taken: undefined, waiting: [] });
    if (this.moves.size > REMEMBERED) {
      const [oldest] = this.moves.keys();
      this.end(oldest);
    }
    return id;
  }

  /** The copy is confirmed, and the wait was acked just now. */
  acked(id: string, taken: Taken): void {
    const move = this.moves.get(id);
    if (!move) return;
    move.taken = taken;
    if (move.waiting.length > 0) this.settle(id, taken);
  }

  /** Resolves when the copy may run; undefined when it may at once, as all that is no move of this process. */
  settled({ properties }: ReceivedMessage): Promise<void> | undefined {
    if (this.moves.size === 0) return undefined;
    const id: unknown = properties.headers?.[HEADER.move];
    const move = typeof id === 'string' ? this.moves.get(id) : undefined;
    if (!move) return undefined;
    const over = new Promise<void>((resolve) => move.waiting.push(resolve));
    if (move.taken) this.settle(id as string, move.taken);
    return over;
  }

  private settle(id: string, taken: Taken): void {
    // A channel that dies meanwhile: the wait comes back, as after any loss.
    void taken()
      .catch(() => undefined)
      .then(() => this.end(id));
  }

  private end(id: string): void {
    const move = this.moves.get(id);
    this.moves.delete(id);
    for (const resolve of move?.waiting ?? []) resolve();
  }
}
