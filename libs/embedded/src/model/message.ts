// A message as the broker holds it: the bytes that came, plus what routing needs. One object is shared by all queues
// that hold it, so a fan-out to a thousand queues keeps one body.
import { Cursor } from '../wire/cursor.js';
import { decodeTable, EMPTY_TABLE, type Table } from '../wire/field-table.js';
import { findProperty } from '../wire/properties.js';

/** Rough cost of the objects around a message, so that many tiny messages count for what they take. */
const OBJECT_COST = 512;

export class Message {
  /** How many queues hold it, ready or unacked. */
  holders = 0;
  private table: Table | undefined;

  constructor(
    readonly exchange: string,
    /** The key of the publish first, then those of CC and BCC. */
    readonly routingKeys: readonly string[],
    readonly properties: Buffer,
    readonly body: Buffer,
  ) {}

  get routingKey(): string {
    return this.routingKeys[0];
  }

  /** Bytes it takes in memory, roughly. */
  get cost(): number {
    return this.body.length + this.properties.length + OBJECT_COST;
  }

  get headers(): Table {
    if (!this.table) {
      const raw = findProperty(this.properties, 'headers');
      this.table = raw ? decodeTable(raw.subarray(4)) : EMPTY_TABLE;
    }
    return this.table;
  }

  /** 0 when the publisher gave none. */
  get priority(): number {
    return findProperty(this.properties, 'priority')?.[0] ?? 0;
  }

  /** A property that is a short string. */
  text(name: 'expiration' | 'userId' | 'replyTo' | 'correlationId' | 'messageId'): string | undefined {
    const raw = findProperty(this.properties, name);
    return raw ? new Cursor(raw).shortstr() : undefined;
  }

  get timestamp(): bigint | undefined {
    return findProperty(this.properties, 'timestamp')?.readBigUInt64BE(0);
  }
}

/** A message in one queue. */
export interface Held {
  readonly message: Message;
  /** Place in the queue; a requeued message goes back to it. */
  position: number;
  /** On the queue's clock; Infinity when it does not expire. */
  readonly expiresAt: number;
  readonly priority: number;
  redelivered: boolean;
  /** How often it came back (quorum queues count and limit this). */
  returns: number;
}
