// What is told of single dead letters: their names in acts, the groups they are in, and their rows in lists.

import { createHash, randomBytes } from 'node:crypto';
import type { DeadLetter, StandardSchema } from '@warren/nestjs';
import type { Issue } from '../api/answers.js';
import type { DeadGroup, LetterRow } from '../api/dead-letters.js';
import type { BoardSettings } from '../options.js';
import { beginning, brief, fields, payloadShown } from './body.js';

/** Of a body, for its shape and for search. */
export const MOST_LOOKED_AT = 64 * 1024;

/** A letter as it is kept. */
export interface Kept {
  readonly key: string;
  readonly group: string;
  /** See DeadGroup. */
  readonly shape: string;
  readonly letter: DeadLetter;
  /** Of the whole body. */
  readonly bytes: number;
  /** Whether the body is only its beginning. */
  readonly cut: boolean;
}

/** Names letters and their groups. With `redact`, no name tells anything of what is masked. */
export class LetterNames {
  private readonly salt: string;

  constructor(private readonly settings: Pick<BoardSettings, 'redact' | 'secret'>) {
    const { redact, secret } = settings;
    this.salt = redact ? (secret ?? randomBytes(32).toString('base64')) : '';
  }

  /** What a letter is, not where it lies. Equal letters have the same one. */
  keyOf({ id, failedAt, exchange, routingKey, handler, content, properties, headers }: DeadLetter): string {
    const { headers: ignored, ...others } = properties;
    void ignored;
    // The broker counts there how often a letter was read, and may sort them when it does.
    const own = Object.entries(fields(headers)).filter(
      ([name]) => !/^x-(delivery|acquired)-count$/.test(name),
    );
    own.sort(([one], [other]) => (one < other ? -1 : 1));
    const facts = [id, failedAt, exchange, routingKey, handler, fields(others), own];
    return createHash('sha256')
      .update(JSON.stringify([this.salt, facts]))
      .update(content)
      .digest('base64url')
      .slice(0, 22);
  }

  /** The group of a letter. */
  groupOf(letter: DeadLetter, shape = this.shapeOf(letter)): string {
    const { error, handler, reason, byBroker } = letter;
    return createHash('sha256')
      .update(JSON.stringify([error, handler, reason, byBroker, shape]))
      .digest('base64url')
      .slice(0, 16);
  }

  /** The letter with at most so many bytes of its body. */
  keep(letter: DeadLetter, most: number): Kept {
    const { content } = letter;
    const shape = this.shapeOf(letter);
    const part = beginning(content, most);
    return {
      key: this.keyOf(letter),
      group: this.groupOf(letter, shape),
      shape,
      // A copy: the part of a network buffer would keep all of it in memory.
      letter: { ...letter, content: Buffer.from(part) },
      bytes: content.length,
      cut: part.length < content.length,
    };
  }

  private shapeOf(letter: DeadLetter): string {
    if (letter.content.length === 0) return 'empty';
    if (letter.content.length > MOST_LOOKED_AT) return 'large';
    const payload = payloadShown(letter, this.settings.redact);
    if (!payload) return 'not shown';
    const { kind, value } = payload;
    if (kind !== 'json') return kind;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return typeName(value);
    if (ArrayBuffer.isView(value)) return 'bytes';
    const parts = Object.entries(value).map(([name, inner]) => `${name}: ${typeName(inner)}`);
    const text = `{${parts.sort().join(', ')}}`;
    return text.length > 200 ? `${text.slice(0, 197)}...` : text;
  }
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

/** The key that equal letters have: in a reading, all but the first of them have a number behind it. */
export const sharedKey = (key: string): string => key.split('.')[0] ?? key;

/** Gives each of several equal letters a key of its own. */
export function numbered(letters: readonly Kept[]): Kept[] {
  const seen = new Map<string, number>();
  return letters.map((kept) => {
    const number = (seen.get(kept.key) ?? 0) + 1;
    seen.set(kept.key, number);
    return number === 1 ? kept : { ...kept, key: `${kept.key}.${number}` };
  });
}

/** At most 500, the largest first. */
export function groupsOf(letters: readonly Kept[]): DeadGroup[] {
  const groups = new Map<string, DeadGroup>();
  for (const { group: key, shape, letter } of letters) {
    const known = groups.get(key);
    const { error, handler, reason, byBroker, errorMessage } = letter;
    const time = letter.failedAt?.getTime() ?? null;
    groups.set(key, {
      key,
      error: brief(error),
      handler: brief(handler),
      reason: brief(reason),
      byBroker,
      shape,
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
