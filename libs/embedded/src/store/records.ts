// The records of the log as bytes: length, checksum, kind, and what belongs to the kind.
import { crc32 } from 'node:zlib';
import { decodeTable, encodeTable } from '../wire/field-table.js';
import type { Change, Place } from '../model/journal.js';
import { type Death, type History, Message } from '../model/message.js';

/** One place that holds a message. */
export interface Entry {
  readonly id: number;
  readonly place: Place;
  readonly at: number | null;
  /** When it came into a stream, in seconds. */
  readonly time?: number | undefined;
}

export type LogRecord =
  /** All that is durable; what was said of it before does not count. */
  | { readonly kind: 'topology'; readonly changes: readonly Change[] }
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'message'; readonly message: Message; readonly entries: readonly Entry[] }
  | { readonly kind: 'gone'; readonly entries: readonly number[] };

const KINDS = ['topology', 'change', 'message', 'gone'] as const;
const HEAD = 9;

interface MessageHead {
  readonly exchange: string;
  readonly keys: readonly string[];
  readonly properties: number;
  readonly history: HistoryText | undefined;
  readonly entries: readonly (readonly [number, Place['kind'], string, string, number | null, number?])[];
}

type DeathText = Omit<Death, 'facts'> & { readonly facts: string };
type HistoryText = { readonly first: DeathText; readonly deaths: readonly DeathText[] };

export function encodeRecord(record: LogRecord): Buffer {
  const parts = payload(record);
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const head = Buffer.allocUnsafe(HEAD);
  head.writeUInt32BE(size, 0);
  head[8] = KINDS.indexOf(record.kind);
  head.writeUInt32BE(
    [head.subarray(8), ...parts].reduce((crc, part) => crc32(part, crc), 0),
    4,
  );
  return Buffer.concat([head, ...parts]);
}

/**
 * The record at this place, and where the next one begins; undefined when what is there is none: it ends too early or
 * its checksum is wrong.
 */
export function decodeRecord(bytes: Buffer, at: number): { record: LogRecord; end: number } | undefined {
  if (bytes.length - at < HEAD) return undefined;
  const end = at + HEAD + bytes.readUInt32BE(at);
  if (end > bytes.length || crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32BE(at + 4))
    return undefined;
  const record = decode(KINDS[bytes[at + 8]], bytes.subarray(at + HEAD, end));
  return { record, end };
}

function payload(record: LogRecord): Buffer[] {
  switch (record.kind) {
    case 'topology':
      return [json(record.changes)];
    case 'change':
      return [json(record.change)];
    case 'gone':
      return [Buffer.from(new Float64Array(record.entries).buffer)];
    case 'message':
      return messageParts(record.message, record.entries);
  }
}

function decode(kind: (typeof KINDS)[number], bytes: Buffer): LogRecord {
  switch (kind) {
    case 'topology':
      return { kind, changes: JSON.parse(bytes.toString()) as Change[] };
    case 'change':
      return { kind, change: JSON.parse(bytes.toString()) as Change };
    case 'gone':
      // Copied, because an array of doubles must begin at a multiple of eight.
      return { kind, entries: [...new Float64Array(Uint8Array.from(bytes).buffer)] };
    case 'message':
      return messageOf(bytes);
  }
}

function messageParts(message: Message, entries: readonly Entry[]): Buffer[] {
  const { exchange, routingKeys: keys, properties, body, history } = message;
  const head: MessageHead = {
    exchange,
    keys,
    properties: properties.length,
    history: history && historyText(history),
    entries: entries.map(({ id, place: { kind, vhost, name }, at, time }) =>
      time === undefined ? [id, kind, vhost, name, at] : [id, kind, vhost, name, at, time],
    ),
  };
  const text = json(head);
  const size = Buffer.allocUnsafe(4);
  size.writeUInt32BE(text.length);
  return [size, text, properties, body];
}

function messageOf(bytes: Buffer): LogRecord {
  const end = 4 + bytes.readUInt32BE(0);
  const head = JSON.parse(bytes.toString('utf8', 4, end)) as MessageHead;
  const bodyAt = end + head.properties;
  // Copied, so that the whole segment does not stay in memory for one message of it.
  const properties = Buffer.from(bytes.subarray(end, bodyAt));
  const body = Buffer.from(bytes.subarray(bodyAt));
  const history = head.history && historyOf(head.history);
  const message = new Message(head.exchange, head.keys, properties, body, history);
  const entries = head.entries.map(([id, kind, vhost, name, at, time]) => ({
    id,
    place: { kind, vhost, name },
    at,
    time,
  }));
  return { kind: 'message', message, entries };
}

function historyText({ first, deaths }: History): HistoryText {
  const text = (death: Death): DeathText => ({
    ...death,
    facts: encodeTable(death.facts).toString('base64'),
  });
  return { first: text(first), deaths: deaths.map(text) };
}

function historyOf({ first, deaths }: HistoryText): History {
  const death = (text: DeathText): Death => ({
    ...text,
    facts: decodeTable(Buffer.from(text.facts, 'base64')),
  });
  return { first: death(first), deaths: deaths.map(death) };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
