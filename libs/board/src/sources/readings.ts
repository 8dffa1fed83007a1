// Dead letters that were read, kept for some minutes: lists, search and single letters come from here, so that looking costs the
// queue one reading. All of it is bounded, whatever is in the queue.

import { createHash } from 'node:crypto';
import { type Broker, type DeadLetter, type StandardSchema, systemClock } from '@warren/nestjs';
import type { Issue } from '../api/answers.js';
import type {
  DeadGroup,
  LetterAnswer,
  LetterRow,
  LettersAnswer,
  ReadingFacts,
  Selection,
} from '../api/dead-letters.js';
import { BoardError } from '../errors.js';
import type { BoardSettings } from '../options.js';
import { brief, fields, payloadOf, shown } from './body.js';
import { deadLettersOf } from './management.js';

/** Messages that are read, and with `all`. */
const MOST_READ = 2_000;
const MOST_WITH_ALL = 10_000;

/** Bytes of a reading, and of a body in it: of larger ones, the beginning. */
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_OF_BODY = 1024 * 1024;
const LEAST_OF_BODY = 4 * 1024;

/** Readings that are kept, and for how long in ms. */
const MOST_READINGS = 4;
const KEPT_FOR = 10 * 60_000;

/** Of a body, for its shape and for search. */
const MOST_LOOKED_AT = 64 * 1024;

/** A letter as it is kept. */
export interface Kept {
  readonly key: string;
  readonly group: string;
  readonly letter: DeadLetter;
  /** Of the whole body. */
  readonly bytes: number;
  /** Whether the body is only its beginning. */
  readonly cut: boolean;
}

interface Reading {
  readonly facts: ReadingFacts;
  readonly letters: readonly Kept[];
  readonly groups: readonly DeadGroup[];
  readonly all: boolean;
}

/** What of a reading to show. */
export interface LettersQuery {
  readonly group: string | undefined;
  readonly text: string | undefined;
  readonly offset: number;
  readonly limit: number;
  readonly fresh: boolean;
  readonly all: boolean;
}

/** See above. */
export class Readings {
  private readonly kept = new Map<string, Reading>();
  private readonly reading = new Map<string, Promise<Reading>>();

  constructor(
    private readonly broker: Broker,
    private readonly settings: BoardSettings,
  ) {}

  /** What was read last, if that is not too long ago. */
  latest(queue: string): Reading | undefined {
    const known = this.kept.get(queue);
    if (known && systemClock.wall() - known.facts.at > KEPT_FOR) this.kept.delete(queue);
    return this.kept.get(queue);
  }

  /** Its messages are not what they were. */
  forget(queue: string): void {
    this.kept.delete(queue);
  }

  /** A list of letters; reads the queue if need be. */
  async letters(queue: string, query: LettersQuery): Promise<LettersAnswer> {
    const known = query.fresh ? undefined : this.latest(queue);
    const { facts, groups, letters } =
      known && (known.all || !query.all) ? known : await this.read(queue, query.all);
    const matching = letters.filter((kept) => this.matches(kept, query));
    return {
      at: systemClock.wall(),
      unknown: [],
      queue,
      of: ownQueue(queue),
      reading: facts,
      groups,
      total: matching.length,
      offset: query.offset,
      letters: matching.slice(query.offset, query.offset + query.limit).map(letterRow),
    };
  }

  /** One letter. @throws BoardError when it is not there any more */
  async letter(queue: string, key: string): Promise<LetterAnswer> {
    const kept = await this.find(queue, key);
    const { letter, cut, bytes } = kept;
    const { headers: ignored, ...properties } = letter.properties;
    void ignored;
    const { body, headers } = shown(letter, this.settings.redact);
    const schema = this.schemaOf(letter);
    return {
      at: systemClock.wall(),
      unknown: [],
      letter: letterRow(kept),
      errorStack: brief(letter.errorStack, 20_000),
      correlationId: brief(letter.properties.correlationId),
      traceId: letter.traceId ?? null,
      headers,
      properties: fields(properties),
      body: { ...body, bytes, cut: body.cut || cut },
      issues: schema && !cut ? await issuesOf(schema, payloadOf(letter).value) : null,
      notEditable: this.whyNotEditable(kept),
    };
  }

  /** From the reading, or a new one. */
  async find(queue: string, key: string): Promise<Kept> {
    const known = this.latest(queue)?.letters.find((each) => each.key === key);
    const found = known ?? (await this.read(queue, false)).letters.find((each) => each.key === key);
    if (found) return found;
    throw new BoardError('STALE', 'this message is not in the queue any more', 'read the queue again');
  }

  /** The schema of the handler that failed, when it is a handler of this process. */
  schemaOf({ handler, queue }: DeadLetter): StandardSchema | undefined {
    const { handlers } = this.broker.details();
    return handlers.find(
      (each) => each.id === handler && (queue === undefined || queue.startsWith(each.queue)),
    )?.schema;
  }

  whyNotEditable({ letter, cut }: Kept): string | null {
    if (this.settings.redact) return 'its values may be masked (option redact)';
    if (cut) return 'it is too large';
    if ((letter.properties.contentEncoding ?? '') !== '') return 'it is compressed';
    return payloadOf(letter).kind === 'bytes' ? 'it is no text' : null;
  }

  /** How many letters of a reading are selected. */
  selected({ letters }: Reading, select: Selection): number {
    const keys = 'keys' in select ? new Set(select.keys) : undefined;
    if (keys) return letters.filter(({ key }) => keys.has(key)).length;
    const query = {
      group: 'group' in select ? select.group : undefined,
      text: 'keys' in select ? undefined : select.text,
    };
    return letters.filter((kept) => this.matches(kept, query)).length;
  }

  /** Whether a letter is of a group, and has a text somewhere. */
  matches(
    { group, letter }: Pick<Kept, 'group' | 'letter'>,
    query: { group?: string | undefined; text?: string | undefined },
  ): boolean {
    if (query.group !== undefined && query.group !== group) return false;
    if (query.text === undefined || query.text === '') return true;
    const { id, error, errorMessage, handler, exchange, routingKey, reason } = letter;
    const { body, headers } = shown(letter, this.settings.redact, MOST_LOOKED_AT);
    const all = [
      id,
      error,
      errorMessage,
      handler,
      exchange,
      routingKey,
      reason,
      body.text,
      JSON.stringify(headers),
    ];
    return all.join('\n').toLowerCase().includes(query.text.toLowerCase());
  }

  private read(queue: string, all: boolean): Promise<Reading> {
    const known = this.reading.get(queue);
    if (known) return known;
    if (this.reading.size >= MOST_READINGS)
      throw new BoardError('BUSY', 'other queues are being read', 'try again in a moment');
    const reading = this.readNow(queue, all ? MOST_WITH_ALL : MOST_READ, all).finally(() =>
      this.reading.delete(queue),
    );
    this.reading.set(queue, reading);
    return reading;
  }

  private async readNow(queue: string, limit: number, all: boolean): Promise<Reading> {
    const client = deadLettersOf(this.broker, { exact: true });
    let [bytes, read, unseen, looks] = [0, 0, 0, 0];
    const letters: Kept[] = [];
    const onEnd = (end: { seen: number; unseen: number }): void => void (unseen = end.unseen);
    // Their number first: the loop ends at its limit without saying what is behind.
    const messages = await client.count(queue);
    if (messages > 0)
      for await (const letter of client.peek(queue, { limit, onEnd })) {
        const kept = keep(letter, bytes < MOST_BYTES ? MOST_OF_BODY : LEAST_OF_BODY);
        bytes += kept.letter.content.length;
        looks = Math.max(looks, letter.looks);
        read++;
        letters.push(kept);
      }
    const facts = { at: systemClock.wall(), messages: Math.max(messages, read + unseen), read, looks };
    const reading = { facts, letters, groups: groupsOf(letters), all };
    this.kept.delete(queue);
    this.kept.set(queue, reading);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MOST_READINGS && oldest !== undefined) this.kept.delete(oldest);
    return reading;
  }
}

function keep(letter: DeadLetter, most: number): Kept {
  const { content } = letter;
  const cut = content.length > most;
  // A copy: the part of a network buffer would keep all of it in memory.
  const kept = { ...letter, content: Buffer.from(content.subarray(0, most)) };
  return { key: keyOf(letter), group: groupOf(letter), letter: kept, bytes: content.length, cut };
}

/** Names a letter in acts: what it is, not where it lies. */
export function keyOf({ id, failedAt, exchange, routingKey, handler, content }: DeadLetter): string {
  return createHash('sha256')
    .update(JSON.stringify([id, failedAt, exchange, routingKey, handler, content.length]))
    .update(content.subarray(0, MOST_LOOKED_AT))
    .digest('base64url')
    .slice(0, 22);
}

/** Names the group of a letter. */
export function groupOf(letter: DeadLetter): string {
  const { error, handler, reason, byBroker } = letter;
  return createHash('sha256')
    .update(JSON.stringify([error, handler, reason, byBroker, shapeOf(letter)]))
    .digest('base64url')
    .slice(0, 16);
}

function shapeOf(letter: DeadLetter): string {
  if (letter.content.length === 0) return 'empty';
  if (letter.content.length > MOST_LOOKED_AT) return 'large';
  const { kind, value } = payloadOf(letter);
  if (kind !== 'json') return kind;
  if (Array.isArray(value)) return 'list';
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  const parts = Object.entries(value).map(([name, inner]) => `${name}: ${typeName(inner)}`);
  const text = `{${parts.sort().join(', ')}}`;
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

function groupsOf(letters: readonly Kept[]): DeadGroup[] {
  const groups = new Map<string, DeadGroup>();
  for (const { group: key, letter } of letters) {
    const known = groups.get(key);
    const { error, handler, reason, byBroker, errorMessage } = letter;
    const time = letter.failedAt?.getTime() ?? null;
    groups.set(key, {
      key,
      error: brief(error),
      handler: brief(handler),
      reason: brief(reason),
      byBroker,
      shape: known?.shape ?? shapeOf(letter),
      count: (known?.count ?? 0) + 1,
      oldest: outer(Math.min, known?.oldest ?? null, time),
      newest: outer(Math.max, known?.newest ?? null, time),
      example: known?.example ?? brief(errorMessage),
    });
  }
  return [...groups.values()].sort((one, other) => other.count - one.count).slice(0, 500);
}

/** Of two times, either of which may be unknown. */
function outer(of: (...times: number[]) => number, one: number | null, other: number | null): number | null {
  return one !== null && other !== null ? of(one, other) : (one ?? other);
}

/** A letter in a list. */
export function letterRow({ key, group, letter, bytes }: Kept): LetterRow {
  const { position, byBroker, attempts, replayed } = letter;
  return {
    key,
    position,
    group,
    id: brief(letter.id),
    queue: brief(letter.queue),
    handler: brief(letter.handler),
    reason: brief(letter.reason),
    byBroker,
    error: brief(letter.error),
    errorMessage: brief(letter.errorMessage),
    attempts,
    failedAt: letter.failedAt?.getTime() ?? null,
    exchange: brief(letter.exchange),
    routingKey: brief(letter.routingKey),
    replayed,
    bytes,
  };
}

/** What a schema finds wrong with a payload; a schema that throws finds that wrong. */
export async function issuesOf(schema: StandardSchema, payload: unknown): Promise<Issue[]> {
  try {
    const { issues = [] } = await schema['~standard'].validate(payload);
    return issues.slice(0, 100).map(({ path = [], message }) => ({
      path: path
        .map((part) => String(typeof part === 'object' ? part.key : part))
        .join('.')
        .slice(0, 300),
      message: message.slice(0, 500),
    }));
  } catch (error) {
    return [
      { path: '', message: `the schema failed: ${error instanceof Error ? error.name : typeof error}` },
    ];
  }
}

/** `orders` for `orders.dead`. */
export function ownQueue(queue: string): string | null {
  return /^(.+)\.dead$/s.exec(queue)?.[1] ?? null;
}
