// Many routing decisions in one go: a queue for each binding, each message published once, and then which queue
// got which messages. A last message straight to each queue tells when it has got all.
import type { Options } from 'amqplib';
import type { TestBroker } from '../support/brokers.js';
import { within } from '../support/events.js';
import { Session } from './session.js';
import { times } from './random.js';

export interface RouteBinding {
  readonly key: string;
  readonly args?: object;
}

export interface RoutedMessage {
  readonly key: string;
  readonly options?: Options.Publish;
}

const END = 'end';

/** For each binding, the indexes of the messages that it let through. */
export async function routeTable(
  broker: TestBroker,
  type: string,
  bindings: readonly RouteBinding[],
  messages: readonly RoutedMessage[],
): Promise<Set<number>[]> {
  const session = await Session.open(broker);
  const exchange = await session.exchange(type);
  const queues = await Promise.all(bindings.map(() => session.queue()));
  await Promise.all(
    bindings.map(({ key, args }, n) => session.channel.bindQueue(queues[n], exchange, key, args)),
  );
  await Promise.all(
    messages.map(({ key, options }, n) => session.publish(exchange, key, String(n), options)),
  );
  const table = await Promise.all(queues.map((queue) => contents(session, queue)));
  await Promise.all([
    ...queues.map((queue) => session.channel.deleteQueue(queue)),
    session.channel.deleteExchange(exchange),
  ]);
  return table;
}

async function contents(session: Session, queue: string): Promise<Set<number>> {
  const got = new Set<number>();
  let ended: () => void;
  const end = new Promise<void>((resolve) => (ended = resolve));
  await session.channel.consume(
    queue,
    (message) => {
      const body = String(message?.content);
      if (body === END) ended();
      else got.add(Number(body));
    },
    { noAck: true },
  );
  await session.publish('', queue, END);
  await within(end, `the end of ${queue}`);
  return got;
}

/** The decisions on which two tables differ, as text; at most ten. */
export function differences(
  expected: readonly ReadonlySet<number>[],
  actual: readonly ReadonlySet<number>[],
  describe: (binding: number, message: number) => string,
  messages: number,
): string[] {
  const found: string[] = [];
  for (const [binding, set] of expected.entries()) {
    for (const message of times(messages, (n) => n)) {
      if (set.has(message) === actual[binding].has(message)) continue;
      found.push(`${describe(binding, message)}: ${set.has(message)} was expected`);
    }
  }
  return found.slice(0, 10);
}
