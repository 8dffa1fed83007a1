// A message as the broker holds it: the received bytes, and what routing needs. One object is shared by all queues
// that hold it, so a fan-out to a thousand queues keeps one body.
import { Cursor } from '../wire/cursor.js';
import { decodeTable, EMPTY_TABLE, type Table } from '../wire/field-table.js';
import { findProperty } from '../wire/properties.js';

/** What the objects around a message take, so that many tiny messages count for what they are; bench/embedded.mjs measures it. */
const OBJECT_COST = 320;

/** Headers are kept as they came and, once they were looked at, as objects. */
const READ_PROPERTIES = 4;

/** Where and why a message died, and how often. */
export interface Death {
  readonly queue: string;
  readonly reason: string;
  readonly exchange: string;
  readonly count: number;
  /** What x-death tells of it, but for the count. */
  readonly facts: Table;
}

export interface History {
  readonly first: Death;
  /** One for each queue and reason, the latest first. */
  readonly deaths: readonly Death[];
}

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
    /** Its deaths, where the broker remembers them. */
    readonly history?: History,
  ) {}

  get routingKey(): string {
    return this.routingKeys[0];
  }

  /** Bytes it takes in memory, roughly. */
  get cost(): number {
    const keys = this.routingKeys.reduce((sum, { length }) => sum + length, 0);
    const deaths = (this.history?.deaths.length ?? 0) * OBJECT_COST;
    return this.body.length + READ_PROPERTIES * this.properties.length + keys + deaths + OBJECT_COST;
  }

  get headers(): Table {
    if (!this.table) {
      const raw = findProperty(this.properties, 'headers');
      this.table = raw ? decodeTable(raw.subarray(4)) : EMPTY_TABLE;
    }
    return this.table;
  }

  /** Undefined when the publisher gave none. */
  get priority(): number | undefined {
    return findProperty(this.properties, 'priority')?.[0];
  }

  /** Whether its publisher wants it to survive the broker. */
  get persistent(): boolean {
    return findProperty(this.properties, 'deliveryMode')?.[0] === 2;
  }

  /** A property that is a short string. */
  text(name: 'expiration' | 'userId' | 'replyTo' | 'correlationId' | 'messageId'): string | undefined {
    const raw = findProperty(this.properties, name);
    return raw ? new Cursor(raw).looseShortstr() : undefined;
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
  /** Its level; Infinity once it came back to a quorum queue. */
  priority: number;
  redelivered: boolean;
  /** How often it came back in a way that counts (quorum queues tell and limit this). */
  returns: number;
  /** How often it came back in any way. */
  acquired: number;
  /** Its number in the journal; 0 when it is not kept. */
  readonly entry: number;
}
