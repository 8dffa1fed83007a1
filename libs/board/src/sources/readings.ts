// Dead letters that were read, kept for some minutes: lists, search and single letters come from here, so that looking costs the
// queue one reading. All of it is bounded, whatever is in the queue.

import { type Broker, type DeadLetter, type StandardSchema, systemClock } from '@warren/nestjs';
import type { DeadGroup, LetterAnswer, LettersAnswer, ReadingFacts, Selection } from '../api/dead-letters.js';
import { BoardError } from '../errors.js';
import type { BoardSettings } from '../options.js';
import { brief, fields, payloadOf, shown } from './body.js';
import {
  groupsOf,
  issuesOf,
  type Kept,
  letterRow,
  LetterNames,
  MOST_LOOKED_AT,
  numbered,
  ownQueue,
  sharedKey,
} from './letters.js';
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

/** Characters of a reading that are kept as they were searched, so that the next search is quick. */
const MOST_TEXT = 8 * 1024 * 1024;

/** A search lets other work go on after so many ms. */
const AT_ONCE = 10;

interface Reading {
  readonly facts: ReadingFacts;
  readonly letters: readonly Kept[];
  readonly groups: readonly DeadGroup[];
  readonly all: boolean;
  /** What was searched of letters, and how many characters may still be kept. */
  readonly texts: Map<Kept, string>;
  free: number;
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
  private readonly held = new Set<string>();
  private readonly names: LetterNames;

  constructor(
    private readonly broker: Broker,
    private readonly settings: BoardSettings,
  ) {
    this.names = new LetterNames(settings);
  }

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

  /** Whether its messages are held, so that nobody else sees them. */
  isHeld(queue: string): boolean {
    return this.held.has(queue) || this.reading.has(queue);
  }

  /** Does work that takes messages of a queue: after a reading that goes on, and no other begins meanwhile. */
  async alone<T>(queue: string, work: () => Promise<T>): Promise<T> {
    this.held.add(queue);
    try {
      await this.reading.get(queue)?.catch(() => undefined);
      return await work();
    } finally {
      this.held.delete(queue);
    }
  }

  /** A list of letters; reads the queue if need be. */
  async letters(queue: string, query: LettersQuery): Promise<LettersAnswer> {
    const known = query.fresh ? undefined : this.latest(queue);
    const reading = known && (known.all || !query.all) ? known : await this.read(queue, query.all);
    const { facts, groups } = reading;
    const matching = await this.matching(reading, query);
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
      // Issues may quote values that are masked.
      issues:
        schema && !cut && !this.settings.redact ? await issuesOf(schema, payloadOf(letter).value) : null,
      notEditable: this.whyNotEditable(kept),
    };
  }

  /** From the reading, or a new one when there is none. @throws BoardError when it is not in it */
  async find(queue: string, key: string): Promise<Kept> {
    const { letters } = this.latest(queue) ?? (await this.read(queue, false));
    const found = letters.find((each) => each.key === key);
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

  /** Why an edit would lose something, or null: what is edited is what `shown` gives as text. */
  whyNotEditable({ letter, cut }: Kept): string | null {
    if (this.settings.redact) return 'its values may be masked (option redact)';
    const { body } = shown(letter, undefined);
    if (cut || body.cut) return 'it is too large';
    if ((letter.properties.contentEncoding ?? '') !== '') return 'it is compressed';
    if (body.kind === 'hex') return 'it is no text';
    // A browser makes one of them all.
    const ends = new Set(body.text.match(/\r\n?|\n/g));
    return ends.size > 1 ? 'its lines end in different ways, which an edit would change' : null;
  }

  /** How many letters of a reading are selected; null when it would take long to say. */
  selected(reading: Reading, select: Selection): number | null {
    if ('keys' in select) {
      const keys = new Set(select.keys);
      return reading.letters.filter(({ key }) => keys.has(key)).length;
    }
    const group = 'group' in select ? select.group : undefined;
    const wanted = reading.letters.filter((kept) => group === undefined || kept.group === group);
    const text = select.text?.toLowerCase() ?? '';
    if (text === '') return wanted.length;
    if (!wanted.every((kept) => reading.texts.has(kept))) return null;
    return wanted.filter((kept) => reading.texts.get(kept)?.includes(text)).length;
  }

  /** Whether a letter is selected. It is asked once of each letter: of equal ones, as many are as the selection has keys of them. */
  chooses(select: Selection): (letter: DeadLetter) => boolean {
    if (!('keys' in select)) {
      const group = 'group' in select ? select.group : undefined;
      const text = select.text?.toLowerCase() ?? '';
      return (letter) =>
        (group === undefined || this.names.groupOf(letter) === group) &&
        (text === '' || this.textOf(letter).includes(text));
    }
    const left = new Map<string, number>();
    for (const key of new Set(select.keys)) left.set(sharedKey(key), (left.get(sharedKey(key)) ?? 0) + 1);
    return (letter) => {
      const key = this.names.keyOf(letter);
      const count = left.get(key) ?? 0;
      if (count > 0) left.set(key, count - 1);
      return count > 0;
    };
  }

  /** Letters of a group with a text somewhere. */
  private async matching(reading: Reading, query: Pick<LettersQuery, 'group' | 'text'>): Promise<Kept[]> {
    const { group } = query;
    const text = query.text?.toLowerCase() ?? '';
    const found: Kept[] = [];
    let end = systemClock.monotonic() + AT_ONCE;
    for (const kept of reading.letters) {
      if (systemClock.monotonic() > end) {
        await new Promise((resolve) => setImmediate(resolve));
        end = systemClock.monotonic() + AT_ONCE;
      }
      if (group !== undefined && kept.group !== group) continue;
      if (text === '' || this.searched(reading, kept).includes(text)) found.push(kept);
    }
    return found;
  }

  private searched(reading: Reading, kept: Kept): string {
    const known = reading.texts.get(kept);
    if (known !== undefined) return known;
    const text = this.textOf(kept.letter);
    if (text.length <= reading.free) {
      reading.free -= text.length;
      reading.texts.set(kept, text);
    }
    return text;
  }

  /** What of a letter can be found by a search, in lower case. */
  private textOf(letter: DeadLetter): string {
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
    return all.join('\n').toLowerCase();
  }

  private read(queue: string, all: boolean): Promise<Reading> {
    const known = this.reading.get(queue);
    if (known) return known;
    if (this.held.has(queue))
      throw new BoardError(
        'BUSY',
        `a replay or drop holds the messages of '${queue}'`,
        'it can be read when that waits or is over',
      );
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
    const found: Kept[] = [];
    const onEnd = (end: { seen: number; unseen: number }): void => void (unseen = end.unseen);
    // Their number first: the loop ends at its limit without saying what is behind.
    const messages = await client.count(queue);
    if (messages > 0)
      for await (const letter of client.peek(queue, { limit, onEnd })) {
        const kept = this.names.keep(letter, bytes < MOST_BYTES ? MOST_OF_BODY : LEAST_OF_BODY);
        bytes += kept.letter.content.length;
        looks = Math.max(looks, letter.looks);
        read++;
        found.push(kept);
      }
    const facts = { at: systemClock.wall(), messages: Math.max(messages, read + unseen), read, looks };
    const letters = numbered(found);
    const reading = { facts, letters, groups: groupsOf(letters), all, texts: new Map(), free: MOST_TEXT };
    this.kept.delete(queue);
    this.kept.set(queue, reading);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MOST_READINGS && oldest !== undefined) this.kept.delete(oldest);
    return reading;
  }
}
