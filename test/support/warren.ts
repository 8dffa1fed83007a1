// A broker object of ours for one test: quiet, with its log lines at hand, closed after the test.

import { afterEach } from '@jest/globals';
import type { Channel, GetMessage } from 'amqplib';
import {
  Broker,
  type BrokerEvent,
  type BrokerHooks,
  type BrokerOptions,
  type Delivery,
  type HandlerOptions,
} from '@warren/amqp';
import type { TestBroker } from './brokers.js';
import { Collector, until, within } from './events.js';

const open: Broker[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((broker) => broker.close()));
});

/** Keeps it beyond the test: whoever asks for that closes it. */
export function kept(rabbit: Warren): Warren {
  open.splice(open.indexOf(rabbit.broker), 1);
  return rabbit;
}

/** A broker object with short reconnects; `lines` is what it logged, `events` what it told. */
export interface Warren {
  readonly broker: Broker;
  readonly lines: string[];
  readonly events: Collector<BrokerEvent>;
  consume(queue: string, handle: (delivery: Delivery) => unknown, options?: HandlerOptions): Warren;
  subscribe(
    patterns: string | string[],
    handle: (delivery: Delivery) => unknown,
    options?: HandlerOptions & { id?: string },
  ): Warren;
  rpc(pattern: string, handle: (delivery: Delivery) => unknown, options?: HandlerOptions): Warren;
  batch(queue: string, handle: (list: readonly Delivery[]) => unknown, options: HandlerOptions): Warren;
  open(): Promise<Warren>;
}

/** Makes one. Handlers are named after their queue or pattern. */
export function warren(url: string, options: BrokerOptions = {}, internals: BrokerHooks = {}): Warren {
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
      return add(
        'consume',
        queue,
        [queue],
        handle as unknown as (delivery: Delivery) => unknown,
        handlerOptions,
      );
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

/** Opens the way of replies, as the first call does: a short timeout after that is about the answer alone. */
export async function replying({ broker }: Pick<Warren, 'broker'>): Promise<void> {
  await rejection(broker.request('nobody at all', 1));
}

/** Waits for a log line that contains `text`. */
export function logged({ lines }: Warren, text: string): Promise<string> {
  return until(
    () => lines.find((line) => line.includes(text)),
    `a log line with '${text}'; there are:\n${lines.join('\n')}`,
  );
}

/**
 * Takes the next message off a queue, as any other program would, once it is there. RabbitMQ may close the connection
 * of whoever looks at a quorum queue while that is being made.
 */
export async function taken(broker: TestBroker, queue: string): Promise<GetMessage> {
  let channel: Channel | undefined;
  let refusal: unknown;
  const look = async (): Promise<GetMessage | false> => {
    try {
      channel ??= await (await broker.connect()).createChannel();
      return await channel.get(queue, { noAck: true });
    } catch (error) {
      channel = undefined;
      refusal = error;
      return false;
    }
  };
  return until(look, `a message in '${queue}'`).catch((error: unknown) => {
    throw refusal ?? error;
  });
}

/** How many messages a queue holds that nobody has taken. */
export async function count(broker: TestBroker, queue: string): Promise<number> {
  const channel = await (await broker.connect()).createChannel();
  return (await channel.checkQueue(queue)).messageCount;
}

/** The next event of that kind, skipping others. */
export async function eventOf<K extends BrokerEvent['kind']>(
  { events }: Warren,
  kind: K,
): Promise<Extract<BrokerEvent, { kind: K }>> {
  for (;;) {
    const event = await events.one();
    if (event.kind === kind) return event as Extract<BrokerEvent, { kind: K }>;
  }
}

/** What a promise rejected with; fails when it resolves or never settles. */
export async function rejection<T = Error & Record<string, unknown>>(promise: Promise<unknown>): Promise<T> {
  const outcome = promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const settled = await within(outcome, 'the promise to settle');
  if ('error' in settled) return settled.error as T;
  throw new Error(`expected a rejection, but it resolved with ${JSON.stringify(settled.value)}`);
}
