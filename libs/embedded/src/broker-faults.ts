// Injects faults of networks, brokers and operators, for tests.
import { type Span, spanMs } from './duration.js';
import type {
  ChaosAction,
  ChaosOptions,
  ConnectionMatch,
  ConsumerMatch,
  FaultCommand,
  FaultRequest,
  FaultResult,
} from './server/faults/fault-command.js';
import type { PublishMatch } from './server/faults/publish-faults.js';

/** A fault that lasts. */
export interface Fault {
  /** All is well again, as far as this fault is concerned. May be called again. */
  end(): Promise<void>;
}

/** Chaos that goes on. */
export interface RunningChaos {
  /** Ends it and what it began; resolves to what it did. */
  stop(): Promise<readonly ChaosAction[]>;
}

/** What can go wrong with an embedded broker. Each resolves when it has taken effect. */
export class BrokerFaults {
  readonly #ask: (command: FaultCommand) => Promise<FaultResult>;

  /** Made by `EmbeddedBroker`. */
  constructor(ask: (command: FaultCommand) => Promise<FaultResult>) {
    this.#ask = ask;
  }

  /** Cuts connections as a failing network does, without a word of AMQP. Resolves to how many. */
  async cut(match: ConnectionMatch = {}): Promise<number> {
    return (await this.#begin({ fault: 'cut', match })).hit;
  }

  /** Connections stay open and nothing happens on them, in either direction: the broker hangs. Later ones too. */
  freeze(match: ConnectionMatch = {}): Promise<Fault> {
    return this.#lasting({ fault: 'freeze', match });
  }

  /** Ends all that `freeze` began; what clients sent meanwhile is read now. */
  async thaw(): Promise<void> {
    await this.#ask({ kind: 'fault', do: 'clear', fault: 'freeze' });
  }

  /** Refuses new connections; existing ones stay. */
  refuse(): Promise<Fault> {
    return this.#lasting({ fault: 'refuse' });
  }

  /** The broker refuses the next publish, or the next `count`, with a nack; queues do not get them. */
  nack(match: PublishMatch = {}): Promise<Fault> {
    return this.#lasting({ fault: 'nack', match: counted(match) });
  }

  /** The broker takes the next publish, or the next `count`, and never confirms it. */
  dropConfirm(match: PublishMatch = {}): Promise<Fault> {
    return this.#lasting({ fault: 'dropConfirm', match: counted(match) });
  }

  /** Cancels consumers as the broker does when their queue is moved or gone. Resolves to how many. */
  async cancelConsumer(match: ConsumerMatch = {}): Promise<number> {
    return (await this.#begin({ fault: 'cancelConsumer', match })).hit;
  }

  /** Publishers are blocked (`connection.blocked`), each at its next publish. */
  alarm(resource: 'memory' | 'disk' = 'memory'): Promise<Fault> {
    return this.#lasting({ fault: 'alarm', resource });
  }

  /** What the broker sends arrives so much later, in the broker's time. */
  async delay(latency: Span, match: ConnectionMatch = {}): Promise<Fault> {
    return this.#lasting({ fault: 'delay', match, ms: spanMs(latency, 'delay(latency)') });
  }

  /** Blocks publishers at this number of bytes of held messages, instead of at the option `memoryLimit`. */
  async memoryLimit(bytes: number): Promise<Fault> {
    if (!(bytes >= 0)) throw new RangeError(`memoryLimit(bytes) must be 0 or more, but is ${bytes}`);
    return this.#lasting({ fault: 'memoryLimit', bytes });
  }

  /** One fault after the other, the same ones for the same seed, until it is stopped. */
  async chaos(options: ChaosOptions): Promise<RunningChaos> {
    const { seed, every = 200 } = options;
    if (!Number.isInteger(seed)) throw new RangeError(`chaos needs an integer as seed, but got ${seed}`);
    if (!(every > 0)) throw new RangeError(`every must be more than 0 ms, but is ${every}`);
    const { id } = await this.#begin({ fault: 'chaos', options });
    let ended: Promise<FaultResult> | undefined;
    return {
      stop: async () => (await (ended ??= this.#ask({ kind: 'fault', do: 'end', id }))).actions,
    };
  }

  /** Ends all faults. */
  async clear(): Promise<void> {
    await this.#ask({ kind: 'fault', do: 'clear' });
  }

  async #lasting(request: FaultRequest): Promise<Fault> {
    const { id } = await this.#begin(request);
    return { end: async () => void (await this.#ask({ kind: 'fault', do: 'end', id })) };
  }

  #begin(request: FaultRequest): Promise<FaultResult> {
    return this.#ask({ kind: 'fault', do: 'begin', request });
  }
}

function counted(match: PublishMatch): PublishMatch {
  const { count = 1 } = match;
  if (count === Infinity || (Number.isInteger(count) && count > 0)) return match;
  throw new RangeError(`count must be a positive integer or Infinity, but is ${count}`);
}
