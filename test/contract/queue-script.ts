// Random scripts of queue operations for the comparison of two brokers. A script is data that does not depend on
// what happens; running it gives observations, and those of both brokers must be equal.
import type { ConsumeMessage, GetMessage, Options } from 'amqplib';
import type { TestBroker } from '../support/brokers.js';
import { fresh, Session, text, type TestConsumer } from './session.js';
import { times, type Random } from './random.js';

export type QueueStep =
  | { readonly do: 'publish'; readonly body: string; readonly priority: number; readonly mandatory: boolean }
  | { readonly do: 'get'; readonly noAck: boolean }
  | { readonly do: 'ack'; readonly which: number; readonly multiple: boolean }
  | { readonly do: 'nack'; readonly which: number; readonly multiple: boolean; readonly requeue: boolean }
  | { readonly do: 'consume'; readonly prefetch: number; readonly noAck: boolean }
  | { readonly do: 'cancel' | 'purge' | 'count' | 'reopen' | 'recover' };

export interface QueueScript {
  readonly queue: Options.AssertQueue;
  readonly steps: readonly QueueStep[];
}

const SENTINEL = 'sentinel';
const USUAL = [
  'publish',
  'publish',
  'publish',
  'publish',
  'get',
  'get',
  'ack',
  'nack',
  'nack',
  'count',
] as const;
const PUSHED = ['consume', 'consume', 'cancel'] as const;
const BACK = ['recover'] as const;
const RARE = ['purge', 'reopen'] as const;

/**
 * A script of that many steps; with `consumers`, deliveries are pushed as well as got, to one
 * consumer at a time: which of several gets a message is chance on RabbitMQ, too. */
export function queueScript(chance: Random, length: number, consumers: boolean): QueueScript {
  const args: Record<string, unknown> = {};
  if (chance.chance(0.4)) args['x-max-priority'] = chance.pick([1, 3, 9]);
  if (chance.chance(0.4)) args['x-max-length'] = 1 + chance.below(4);
  if (chance.chance(0.15)) args['x-max-length-bytes'] = 4 + chance.below(12);
  if (chance.chance(0.4))
    args['x-overflow'] = chance.pick(['drop-head', 'reject-publish', 'reject-publish-dlx']);
  const limited = 'x-max-length' in args || 'x-max-length-bytes' in args;
  return {
    queue: { arguments: args },
    steps: times(length, (n) => step(chance, n, consumers, consumers || limited)),
  };
}

// `single`: nothing gives several messages back at once. RabbitMQ does that consumer by consumer (each get counts as
// one), in the order of random tags, and trims in between: see the feature requeueByConsumer.
function step(chance: Random, index: number, consumers: boolean, single: boolean): QueueStep {
  const which = chance.below(100);
  const multiple = chance.chance(0.25);
  const kind = chance.pick([
    ...USUAL,
    ...USUAL,
    ...USUAL,
    ...(consumers ? PUSHED : []),
    ...(single ? [] : BACK),
    ...RARE,
  ]);
  switch (kind) {
    case 'publish':
      return { do: kind, body: `m${index}`, priority: chance.below(6), mandatory: chance.chance(0.2) };
    case 'get':
      return { do: kind, noAck: chance.chance(0.3) };
    case 'ack':
      return { do: kind, which, multiple };
    case 'nack':
      return { do: kind, which, multiple: multiple && !single, requeue: chance.chance(0.6) };
    case 'consume':
      return { do: kind, prefetch: chance.below(4), noAck: chance.chance(0.2) };
    default:
      return { do: kind };
  }
}

/** Runs a script and tells what was seen, a line for each step and each dead letter. */
export async function observe(broker: TestBroker, script: QueueScript): Promise<string[]> {
  const run = new ScriptRun(await Session.open(broker));
  await run.declare(script.queue);
  for (const each of script.steps) await run.step(each);
  await run.end();
  return run.seen;
}

class ScriptRun {
  readonly seen: string[] = [];
  readonly #connection: Session;
  readonly #queue = fresh('scripted');
  readonly #dead = fresh('dead');
  #session: Session;
  #held: (ConsumeMessage | GetMessage)[] = [];
  #consumer: (TestConsumer & { noAck: boolean; seen: number }) | undefined;

  constructor(session: Session) {
    this.#connection = session;
    this.#session = session;
  }

  async declare(options: Options.AssertQueue): Promise<void> {
    await this.#session.channel.assertQueue(this.#dead);
    const deadLetters = { deadLetterExchange: '', deadLetterRoutingKey: this.#dead };
    await this.#session.channel.assertQueue(this.#queue, { ...options, ...deadLetters });
    this.#session = await this.#connection.sibling();
  }

  async step(step: QueueStep): Promise<void> {
    this.seen.push(`${JSON.stringify(step)} -> ${await this.#perform(step)}`);
    // After the answers every delivery that the queue has sent to this channel is here. Twice, because RabbitMQ lets
    // the question for a count overtake a requeue that has just arrived.
    await this.#session.channel.checkQueue(this.#queue);
    const { messageCount } = await this.#session.channel.checkQueue(this.#queue);
    if (step.do === 'count') this.seen.push(`ready: ${messageCount}`);
    this.#takeDeliveries();
    this.#held.sort((a, b) => a.fields.deliveryTag - b.fields.deliveryTag);
  }

  #takeDeliveries(): void {
    const consumer = this.#consumer;
    if (!consumer) return;
    for (const message of consumer.got.all.slice(consumer.seen)) {
      if (message && !consumer.noAck) this.#held.push(message);
      this.seen.push(`consumer: ${described(message)}`);
    }
    consumer.seen = consumer.got.size;
  }

  /** Gives everything back, empties the queue, and reads the dead letters up to a last one. */
  async end(): Promise<void> {
    await this.#reopen();
    this.seen.push(`left: ${(await this.#session.drain(this.#queue)).join(' ')}`);
    await this.#publish(SENTINEL, {});
    const last = await this.#session.channel.get(this.#queue);
    if (last) this.#session.channel.reject(last, false);
    const dead = await this.#connection.consume(this.#dead, { noAck: true });
    while (last) {
      const message = await dead.message();
      if (text(message) === SENTINEL) break;
      const deaths = (message.properties.headers?.['x-death'] ?? []) as unknown as {
        reason: string;
        count: number;
      }[];
      this.seen.push(
        `dead: ${text(message)} ${deaths.map(({ reason, count }) => `${reason} ${count}`).join()}`,
      );
    }
    await this.#session.channel.deleteQueue(this.#queue);
    await this.#session.channel.deleteQueue(this.#dead);
  }

  async #perform(step: QueueStep): Promise<string | number> {
    const { channel } = this.#session;
    switch (step.do) {
      case 'publish':
        return this.#publish(step.body, { priority: step.priority, mandatory: step.mandatory });
      case 'get': {
        const message = await channel.get(this.#queue, { noAck: step.noAck });
        if (message && !step.noAck) this.#held.push(message);
        return message ? `${described(message)}, ${message.fields.messageCount} left` : 'none';
      }
      case 'ack':
        return this.#settle(step, (message) => channel.ack(message, step.multiple));
      case 'nack':
        return this.#settle(step, (message) => channel.nack(message, step.multiple, step.requeue));
      case 'consume':
        if (this.#consumer) return 'one is there';
        await channel.prefetch(step.prefetch);
        this.#consumer = { ...(await this.#session.consume(this.#queue, step)), noAck: step.noAck, seen: 0 };
        return 'started';
      case 'cancel':
        if (!this.#consumer) return 'nobody';
        await channel.cancel(this.#consumer.tag);
        this.#takeDeliveries();
        this.#consumer = undefined;
        return 'cancelled';
      case 'purge':
        return (await channel.purgeQueue(this.#queue)).messageCount;
      case 'recover':
        this.#held = [];
        await channel.recover();
        return 'recovered';
      case 'reopen':
        await this.#reopen();
        return 'reopened';
      case 'count':
        return 'asked';
    }
  }

  async #publish(body: string, options: Options.Publish): Promise<string> {
    return this.#session.publish('', this.#queue, body, options).then(
      () => 'confirmed',
      (error: Error) => error.message,
    );
  }

  async #reopen(): Promise<void> {
    await this.#session.channel.close();
    this.#session = await this.#connection.sibling();
    this.#held = [];
    this.#consumer = undefined;
  }

  #settle(
    step: { which: number; multiple: boolean },
    act: (message: ConsumeMessage | GetMessage) => void,
  ): string {
    const index = step.which % (this.#held.length || 1);
    const message = this.#held[index];
    if (!message) return 'nothing held';
    this.#held.splice(step.multiple ? 0 : index, step.multiple ? index + 1 : 1);
    act(message);
    return described(message);
  }
}

function described(message: ConsumeMessage | GetMessage | null): string {
  return message ? `${text(message)}${message.fields.redelivered ? ' again' : ''}` : 'cancelled';
}
