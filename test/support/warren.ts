// A broker object of ours for one test: quiet, with its log lines at hand, closed after the test.

import { afterEach } from '@jest/globals';
import {
  Broker,
  type BrokerEvent,
  type BrokerInternals,
  type BrokerOptions,
  type Delivery,
  type HandlerOptions,
} from '@warren/amqp';
import { Collector, until } from './events.js';

const open: Broker[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((broker) => broker.close()));
});

/** A broker object with short reconnects; `lines` is what it logged, `events` what it told. */
export interface Warren {
  readonly broker: Broker;
  readonly lines: string[];
  readonly events: Collector<BrokerEvent>;
  consume(queue: string, handle: (delivery: Delivery) => unknown, options?: HandlerOptions): Warren;
  subscribe(patterns: string | string[], handle: (delivery: Delivery) => unknown, options?: HandlerOptions & { id?: string }): Warren;
  rpc(pattern: string, handle: (delivery: Delivery) => unknown, options?: HandlerOptions): Warren;
  batch(queue: string, handle: (list: readonly Delivery[]) => unknown, options: HandlerOptions): Warren;
  open(): Promise<Warren>;
}

/** Makes one. Handlers are named after their queue or pattern. */
export function warren(url: string, options: BrokerOptions = {}, internals: BrokerInternals = {}): Warren {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const broker = new Broker(
    {
      url,
      service: 'test',
      queueType: 'classic',
      reconnect: { min: 20, max: 200 },
      logger: { log: write, warn: write, error: write },
      ...options,
    },
    internals,
  );
  open.push(broker);
  const events = new Collector<BrokerEvent>('events');
  broker.on(events.push);
  const self: Warren = {
    broker,
    lines,
    events,
    consume: (queue, handle, handlerOptions = {}) => add('consume', queue, [queue], handle, handlerOptions),
    subscribe: (patterns, handle, { id, ...rest } = {}) => {
      const list = [patterns].flat();
      return add('subscribe', id ?? `on.${list.join('+')}`, list, handle, rest);
    },
    rpc: (pattern, handle, handlerOptions = {}) => add('rpc', pattern, [pattern], handle, handlerOptions),
    batch: (queue, handle, handlerOptions) => {
      return add('consume', queue, [queue], handle as unknown as (delivery: Delivery) => unknown, handlerOptions);
    },
    async open() {
      await broker.open();
      return self;
    },
  };
  return self;

  function add(
    kind: 'consume' | 'subscribe' | 'rpc',
    id: string,
    patterns: string[],
    handle: (delivery: Delivery) => unknown,
    handlerOptions: HandlerOptions,
  ): Warren {
    broker.register({
      kind,
      id,
      patterns,
      options: handlerOptions,
      handle: handle as (input: Delivery | readonly Delivery[]) => unknown,
    });
    return self;
  }
}

/** Waits for a log line that contains `text`. */
export function logged({ lines }: Warren, text: string): Promise<string> {
  return until(() => lines.find((line) => line.includes(text)), `a log line with '${text}'; there are:\n${lines.join('\n')}`);
}
