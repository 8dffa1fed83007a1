// Lets a test move the clock of a broker from one due moment to the next; clients can react to each before it goes on. A
// broker in a worker is moved step by step in the same way.
import { type Span, spanMs } from './duration.js';
import type { TimeCommand, TimeState } from './server/time.js';

/** How `broker.clock.advance` goes on from one due moment to the next. */
export interface AdvanceOptions {
  /**
   * How long no client may send or receive anything before time moves on, in milliseconds of real time. Default 50,
   * since clients that do not set `noDelay` may send 40 ms late; for those of this process that do, 1 is enough.
   */
  readonly quiet?: number;
  /** Called after each due moment, once clients are quiet; time moves on when it resolves. Default: nothing. */
  readonly settle?: () => Promise<void>;
}

const QUIET = 50;

/** Clients that are never quiet do not hold up time for longer than this, per moment, in milliseconds. */
const NOISE_MOST = 1_000;

/** Turns of the event loop without traffic after which clients of this process have nothing more to say. */
const TURNS = 8;

/** Steps at one moment after which time would never move on. */
const STUCK = 100_000;

const turn = setImmediate;
const nextTurn = (): Promise<void> => new Promise((resolve) => turn(resolve));
const realTime = performance.now.bind(performance);

/** The time of an embedded broker: everything in it that expires or is delayed goes by it. */
export class BrokerClock {
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  /** Made by `EmbeddedBroker`. */
  constructor(private readonly ask: (command: TimeCommand) => Promise<TimeState>) {}

  /**
   * Moves time forward. What becomes due by then happens in its order: messages and queues expire, delays end. After
   * each moment at which clients were sent something it waits until they are quiet, so that what they do about it, and
   * what becomes due because of that, happens too. Resolves when nothing is due any more and they are quiet. Time stands
   * still meanwhile, and goes on from there.
   */
  advance(by: Span, options: AdvanceOptions = {}): Promise<void> {
    const ms = spanMs(by, 'advance(by)');
    const advancing = this.running.then(() => this.move(ms, options));
    this.running = advancing.catch(() => undefined);
    return advancing;
  }

  /** Time stands still until `resume`, but for `advance`. */
  async pause(): Promise<void> {
    this.stopped = true;
    await this.ask({ kind: 'time', do: 'stop' });
  }

  /** Time goes on by itself. */
  async resume(): Promise<void> {
    await this.running;
    this.stopped = false;
    await this.ask({ kind: 'time', do: 'start' });
  }

  /** In how many milliseconds the next thing is due; undefined when nothing waits for time. */
  async next(): Promise<number | undefined> {
    const { now, next } = await this.look();
    return next === undefined ? undefined : Math.max(0, next - now);
  }

  private look(): Promise<TimeState> {
    return this.ask({ kind: 'time', do: 'look' });
  }

  private async move(ms: number, options: AdvanceOptions): Promise<void> {
    const single = options.settle !== undefined;
    let state = await this.ask({ kind: 'time', do: 'stop' });
    const until = state.now + ms;
    try {
      await this.settled(state, options, true);
      for (let steps = 0, at = state.now; ; steps += 1) {
        const { traffic } = await this.look();
        state = await this.ask({ kind: 'time', do: 'step', until, single });
        if (!state.stepped) return;
        if (state.now !== at) [steps, at] = [0, state.now];
        if (steps > STUCK)
          throw new Error('time does not move: something asks again and again for this moment');
        await this.settled({ ...state, traffic }, options);
      }
    } finally {
      if (!this.stopped) await this.ask({ kind: 'time', do: 'start' });
    }
  }

  /** Resolves when clients have reacted to what happened, and `settle` has nothing against going on. */
  private async settled(before: TimeState, options: AdvanceOptions, first = false): Promise<void> {
    const end = realTime() + NOISE_MOST;
    let { traffic } = before;
    // What was sent just before time was stopped is on its way.
    if (first) traffic = -1;
    for (;;) {
      const quietAt = await this.quiet(traffic, options.quiet ?? QUIET, end);
      if (!options.settle) return;
      await options.settle();
      ({ traffic } = await this.look());
      if (traffic === quietAt || realTime() > end) return;
    }
  }

  /** Resolves with the traffic up to now when there was none for a while; at once where there was none at all. */
  private async quiet(known: number, ms: number, end: number): Promise<number> {
    let [traffic, since, turns] = [known, -Infinity, 0];
    for (;;) {
      const state = await this.look();
      if (state.sending || state.traffic !== traffic)
        [traffic, since, turns] = [state.traffic, realTime(), 0];
      else if (++turns >= TURNS && realTime() - since >= ms) return traffic;
      if (realTime() > end) return traffic;
      await nextTurn();
    }
  }
}
