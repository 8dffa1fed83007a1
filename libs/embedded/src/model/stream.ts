// A stream (`x-queue-type: stream`): messages stay after they were read, each consumer reads from the offset of its choice,
// and an ack is credit for one more message.
import type { Field } from '../wire/field-table.js';
import { type Consumer, Consumers } from './consumers.js';
import { AmqpFailure, called } from './failure.js';
import type { Held, Message } from './message.js';
import type { AppliedPolicy } from './policy.js';
import { Queue, type Restored, type Surroundings } from './queue.js';
import type { QueueSettings } from './queue-settings.js';
import type { StartingPoint, StreamReading } from './stream-arguments.js';
import { StreamLog } from './stream-log.js';

/** One consumer and where it is. */
interface Reader {
  readonly consumer: Consumer;
  readonly wants: (message: Message) => boolean;
  next: number;
}

/** The consumers of a stream: no round robin, no priorities, no single active consumer. */
class Readers extends Consumers {
  readonly byConsumer = new Map<Consumer, Reader>();
  /** Those that may be able to take a message. */
  readonly awake = new Set<Reader>();

  constructor() {
    super(false);
  }

  override wake(consumer: Consumer): void {
    const reader = this.byConsumer.get(consumer);
    if (reader) this.awake.add(reader);
  }
}

export class Stream extends Queue {
  override readonly consumers = new Readers();
  private readonly log: StreamLog;

  constructor(name: string, settings: QueueSettings, around: Surroundings) {
    super(name, settings, undefined, around);
    this.log = new StreamLog(settings.stream, (message, entry) => {
      around.release(message);
      if (entry > 0) around.forget(entry);
    });
  }

  override get length(): number {
    return this.log.length;
  }

  override get bytes(): Queue['bytes'] {
    return { ready: this.log.size, unacked: 0 };
  }

  override govern(policy: AppliedPolicy): void {
    super.govern(policy);
    this.log.limit(this.settings.stream);
  }

  override publish(message: Message, restored?: Restored): boolean {
    this.around.hold(message);
    const { clock } = this.around;
    if (restored) this.log.begin(restored.at ?? 0);
    const entry = restored?.entry ?? this.around.keep(this, message, this.log.next);
    this.log.append(message, restored?.time ?? clock.wallSeconds(), entry);
    for (const reader of this.consumers.byConsumer.values()) this.consumers.awake.add(reader);
    this.pump();
    return true;
  }

  override take(): never {
    throw this.unsupported('basic.get');
  }

  override purge(): never {
    throw this.unsupported('queue.purge');
  }

  /** What RabbitMQ says of methods that make no sense for a stream; ends the connection. */
  unsupported(method: string): AmqpFailure {
    const where = called('queue', this.name, this.around.vhost);
    return new AmqpFailure(540, `${method} not supported by stream queues ${where}`);
  }

  /** A consumer begins to read. */
  read(consumer: Consumer, { from, wants }: StreamReading): void {
    const reader: Reader = { consumer, wants, next: this.offsetOf(from) };
    this.consumers.byConsumer.set(consumer, reader);
    this.consumers.awake.add(reader);
    this.addConsumer(consumer);
  }

  override removeConsumer(consumer: Consumer): void {
    const reader = this.consumers.byConsumer.get(consumer);
    if (reader) this.consumers.awake.delete(reader);
    this.consumers.byConsumer.delete(consumer);
    this.consumers.remove(consumer);
  }

  override pump(): void {
    const { awake } = this.consumers;
    for (const reader of awake) {
      awake.delete(reader);
      this.serve(reader);
    }
  }

  /** Whatever a client says of a delivery, the message stays and the delivery is done with. */
  override settle(): void {
    this.unacked -= 1;
    this.counters.ack += 1;
  }

  override requeue(returned: readonly Held[]): void {
    this.unacked -= returned.length;
  }

  override close(): void {
    this.deleted = true;
    this.log.clear();
    for (const consumer of this.consumers.all()) consumer.cancelled();
  }

  private serve(reader: Reader): void {
    const { consumer, wants } = reader;
    reader.next = Math.max(reader.next, this.log.first);
    for (; reader.next < this.log.next; reader.next += 1) {
      const message = this.log.at(reader.next) as Message;
      if (!wants(message)) continue;
      // A consumer that is refused is woken when it can take more.
      if (!consumer.ready()) return;
      this.unacked += 1;
      consumer.deliver(delivered(message, reader.next));
    }
  }

  private offsetOf(from: StartingPoint): number {
    const { first, next } = this.log;
    if (from === 'first') return first;
    if (from === 'next') return next;
    if (from === 'last') return Math.max(first, next - 1);
    if ('offset' in from) return Math.max(first, from.offset);
    return this.log.since('ago' in from ? this.around.clock.wallSeconds() - from.ago : from.seconds);
  }
}

function delivered(message: Message, position: number): Held {
  const never = { redelivered: false, returns: 0, acquired: 0, priority: 0, entry: 0 };
  return { message, position, expiresAt: Infinity, ...never };
}

/** The header that tells a consumer where in the stream a message is. */
export function offsetHeader({ position }: Held): readonly [string, Field] {
  return ['x-stream-offset', { type: 'long', value: position }];
}
