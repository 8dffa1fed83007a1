// Random faults, one after the other; the same seed gives the same faults.
import type { MovableClock } from '../../model/movable-clock.js';
import type { ChaosAction, ChaosFault, ChaosOptions, FaultRequest, FaultResult } from './fault-command.js';

const ALL: readonly ChaosFault[] = ['cut', 'freeze', 'delay', 'nack', 'cancelConsumer', 'alarm'];
const NACKS_MOST = 5;

export class Chaos {
  readonly actions: ChaosAction[] = [];
  private readonly random: () => number;
  private readonly began: number;
  private readonly running = new Set<number>();
  private timers: (() => void)[] = [];
  private stopped = false;

  constructor(
    private readonly options: ChaosOptions,
    private readonly clock: MovableClock,
    private readonly begin: (request: FaultRequest) => FaultResult,
    private readonly end: (id: number) => void,
  ) {
    this.random = seeded(options.seed);
    this.began = clock.monotonic();
    this.next();
  }

  /** Ends what it began; nothing more happens. */
  stop(): void {
    this.stopped = true;
    for (const cancel of this.timers) cancel();
    for (const id of this.running) this.end(id);
  }

  private next(): void {
    const { every = 200 } = this.options;
    this.timers = [
      this.clock.after(every * (0.5 + this.random()), () => this.act()),
      ...this.timers.slice(0, 50),
    ];
  }

  /** Takes as many numbers each time, so that what there is to hit does not change what comes next. */
  private act(): void {
    const { faults = ALL, every = 200 } = this.options;
    const fault = faults[Math.floor(this.random() * faults.length)] ?? 'cut';
    const [pick, share] = [this.random(), this.random()];
    const lasting =
      fault === 'freeze' || fault === 'delay' || fault === 'alarm' ? Math.ceil(share * every) : 0;
    const count = 1 + Math.floor(share * NACKS_MOST);
    const { id, hit } = this.begin(this.request(fault, pick, lasting, count));
    const at = Math.round(this.clock.monotonic() - this.began);
    this.actions.push({ at, fault, hit: fault === 'nack' ? count : hit, lasting });
    if (fault === 'nack' || lasting > 0) this.running.add(id);
    if (lasting > 0) {
      this.timers.push(
        this.clock.after(lasting, () => {
          this.running.delete(id);
          this.end(id);
        }),
      );
    }
    if (!this.stopped) this.next();
  }

  private request(fault: ChaosFault, pick: number, lasting: number, count: number): FaultRequest {
    const { match = {} } = this.options;
    switch (fault) {
      case 'cut':
        return { fault, match, pick };
      case 'cancelConsumer':
        return { fault, match: {}, pick };
      case 'freeze':
        return { fault, match };
      case 'delay':
        return { fault, match, ms: Math.max(1, lasting / 4) };
      case 'nack':
        return { fault, match: { count } };
      case 'alarm':
        return { fault, resource: pick < 0.5 ? 'memory' : 'disk' };
    }
  }
}

/** Numbers from 0 to 1, the same for the same seed: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
