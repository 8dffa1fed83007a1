// Bodies and headers as they may be shown: bounded, as text that a page shows as text, and masked by the option `redact`.

import { brotliDecompressSync, gunzipSync, inflateSync, type ZlibOptions } from 'node:zlib';
import type { MessageProperties } from '@warren/nestjs';
import type { Body, Fields } from '../api/answers.js';
import type { BoardOptions } from '../options.js';

/** Shown of a body, in bytes. */
export const MOST_SHOWN = 256 * 1024;

/** Parsed as JSON, in bytes: more would take too long. */
const MOST_PARSED = 4 * 1024 * 1024;

/** A message, as far as its body goes. */
export interface Carrier {
  readonly content: Buffer;
  readonly headers: Fields;
  readonly properties: MessageProperties;
}

type Redact = BoardOptions['redact'];

/** A body and its headers, to be shown. */
export interface Shown {
  readonly body: Body;
  readonly headers: Fields;
}

/** What may leave the server of a message; `most` bytes of the body. */
export function shown(carrier: Carrier, redact: Redact, most = MOST_SHOWN): Shown {
  const { content, headers } = carrier;
  const bytes = content.length;
  if (!redact)
    return { body: { ...bodyOf(carrier, most), bytes, redacted: false }, headers: fields(headers) };
  try {
    const { kind, value, headers: kept } = masked(carrier, redact);
    const text = kind === 'text' ? String(value) : (JSON.stringify(value, undefined, 2) ?? '');
    return {
      body: { kind: text === '' ? 'empty' : kind, ...cutText(text, most), bytes, redacted: true },
      headers: fields(kept),
    };
  } catch {
    // What could not be masked is not shown.
    const text = 'not shown: the option redact failed for this message';
    return { body: { kind: 'text', text, bytes, cut: true, redacted: true }, headers: {} };
  }
}

/** What `redact` leaves of a message. Throws what it throws. */
function masked(
  carrier: Carrier,
  redact: NonNullable<Redact>,
): { readonly kind: 'json' | 'text'; readonly value: unknown; readonly headers: Fields } {
  const { kind, value } = payloadOf(carrier);
  const { payload, headers } = redact(value, carrier.headers);
  return { kind: typeof payload === 'string' && kind !== 'json' ? 'text' : 'json', value: payload, headers };
}

function bodyOf(carrier: Carrier, most: number): Pick<Body, 'kind' | 'text' | 'cut'> {
  const content = unfolded(carrier);
  if (content === undefined) return hex(carrier.content, most);
  if (content.length === 0) return { kind: 'empty', text: '', cut: false };
  const part = beginning(content, most);
  if (!isText(part)) return hex(content, most);
  if (payloadIn(carrier, content).kind === 'json')
    return { kind: 'json', ...cutText(pretty(content.toString('utf8'), most), most) };
  return { kind: 'text', text: part.toString('utf8'), cut: part.length < content.length };
}

/** At most so many bytes from the start of a body, without a part of a character at their end. */
export function beginning(content: Buffer, most: number): Buffer {
  if (content.length <= most) return content;
  let end = most;
  while (end > most - 3 && (content.readUInt8(end) & 0xc0) === 0x80) end--;
  return content.subarray(0, end);
}

/**
 * Valid JSON with a line for each value, until it has more than `most` characters. Only white space changes: a number may have more
 * digits than JavaScript keeps, and a name may be there twice.
 */
function pretty(json: string, most: number): string {
  let [text, depth] = ['', 0];
  const line = (): string => `\n${'  '.repeat(depth)}`;
  for (const [token] of json.matchAll(TOKENS)) {
    if (text.length > most) break;
    if (token === '{' || token === '[') {
      depth++;
      text += token + line();
    } else if (token === '}' || token === ']') {
      depth--;
      text += line() + token;
    } else if (token === ',') text += token + line();
    else if (token === ':') text += ': ';
    else text += /^[[{]/.test(token) ? token.replace(/\s+/, '') : token;
  }
  return text;
}

/** Of JSON: texts, empty lists and objects, signs, numbers and words; not the white space between them. */
const TOKENS = /"[^"\\]*(?:\\[^][^"\\]*)*"|\[\s*\]|\{\s*\}|[[\]{},:]|[^\s"[\]{},:]+/g;

function hex(content: Buffer, most: number): Pick<Body, 'kind' | 'text' | 'cut'> {
  const part = content.subarray(0, Math.floor(most / 2));
  return { kind: 'hex', text: part.toString('hex'), cut: part.length < content.length };
}

function cutText(text: string, most: number): Pick<Body, 'text' | 'cut'> {
  return text.length <= most ? { text, cut: false } : { text: text.slice(0, most), cut: true };
}

/** A payload: JSON as a value, else text or bytes. */
export interface Payload {
  readonly kind: 'json' | 'text' | 'bytes';
  readonly value: unknown;
}

/** The payload as `redact` and schemas see it. */
export function payloadOf(carrier: Carrier): Payload {
  return payloadIn(carrier, unfolded(carrier) ?? carrier.content);
}

/** The payload as it may be shown; undefined when it could not be masked. */
export function payloadShown(carrier: Carrier, redact: Redact): Payload | undefined {
  if (!redact) return payloadOf(carrier);
  try {
    return masked(carrier, redact);
  } catch {
    return undefined;
  }
}

function payloadIn(carrier: Carrier, content: Buffer): Payload {
  if (content.length > MOST_PARSED || !isText(content)) return { kind: 'bytes', value: content };
  const text = content.toString('utf8');
  if (!looksLikeJson(carrier, content)) return { kind: 'text', value: text };
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    return { kind: 'text', value: text };
  }
}

/** Without its content encoding; undefined when that cannot be undone in bounds. */
function unfolded({ content, properties }: Carrier): Buffer | undefined {
  const encoding = properties.contentEncoding ?? '';
  if (encoding === '' || /^(identity|utf-?8)$/i.test(encoding)) return content;
  const limits: ZlibOptions & { maxOutputLength: number } = { maxOutputLength: MOST_PARSED };
  try {
    if (/^(x-)?gzip$/i.test(encoding)) return gunzipSync(content, limits);
    if (/^deflate$/i.test(encoding)) return inflateSync(content, limits);
    if (/^br$/i.test(encoding)) return brotliDecompressSync(content, limits);
  } catch {
    // Damaged, or too large.
  }
  return undefined;
}

function looksLikeJson({ properties }: Carrier, content: Buffer): boolean {
  const type = properties.contentType ?? '';
  if (type !== '') return /json/i.test(type);
  return /^\s*[{["\-\d]|^\s*(true|false|null)\s*$/.test(content.subarray(0, 100).toString('utf8'));
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Whether it is UTF-8 without control characters that no text has. */
function isText(content: Buffer): boolean {
  try {
    return !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(decoder.decode(content));
  } catch {
    return false;
  }
}

/** Values of headers and properties as JSON: at most 100 of them, texts of 4000 characters, four levels. */
export function fields(headers: object): Fields {
  const all = Object.entries(headers).filter(([, value]) => value !== undefined);
  const kept = all.slice(0, 100).map(([name, value]) => [name.slice(0, 255), plain(value, 0)]);
  return Object.fromEntries(kept) as Fields;
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.length > 4_000 ? `${value.slice(0, 4_000)}...` : value;
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, Math.min(value.byteLength, 1_000)).toString('hex');
  if (depth >= 4) return '...';
  if (Array.isArray(value)) return value.slice(0, 100).map((each) => plain(each, depth + 1));
  const entries = Object.entries(value).slice(0, 100);
  return Object.fromEntries(entries.map(([name, inner]) => [name, plain(inner, depth + 1)]));
}

/** At most so many characters, null for nothing. */
export function brief(text: string | undefined, most = 300): string | null {
  if (text === undefined) return null;
  return text.length > most ? `${text.slice(0, most - 3)}...` : text;
}
