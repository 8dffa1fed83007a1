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
  const payload = payloadOf(carrier);
  try {
    const masked = redact(payload.value, headers);
    const kept = typeof masked.payload === 'string' && payload.kind !== 'json' ? masked.payload : undefined;
    const text = kept ?? JSON.stringify(masked.payload, undefined, 2) ?? '';
    const kind = kept === undefined ? 'json' : 'text';
    return {
      body: { kind: text === '' ? 'empty' : kind, ...cutText(text, most), bytes, redacted: true },
      headers: fields(masked.headers),
    };
  } catch {
    // What could not be masked is not shown.
    const text = 'not shown: the option redact failed for this message';
    return { body: { kind: 'text', text, bytes, cut: true, redacted: true }, headers: {} };
  }
}

function bodyOf(carrier: Carrier, most: number): Pick<Body, 'kind' | 'text' | 'cut'> {
  const content = unfolded(carrier);
  if (content === undefined) return hex(carrier.content, most);
  if (content.length === 0) return { kind: 'empty', text: '', cut: false };
  if (!isText(content.subarray(0, most))) return hex(content, most);
  if (looksLikeJson(carrier, content) && content.length <= MOST_PARSED) {
    try {
      const pretty = JSON.stringify(JSON.parse(content.toString('utf8')), undefined, 2);
      return { kind: 'json', ...cutText(pretty, most) };
    } catch {
      // It says JSON, and is none.
    }
  }
  const text = content.subarray(0, most).toString('utf8');
  // The last character may be cut in two.
  return { kind: 'text', text: text.replace(/\ufffd$/, ''), cut: content.length > most };
}

function hex(content: Buffer, most: number): Pick<Body, 'kind' | 'text' | 'cut'> {
  const part = content.subarray(0, Math.floor(most / 2));
  return { kind: 'hex', text: part.toString('hex'), cut: part.length < content.length };
}

function cutText(text: string, most: number): Pick<Body, 'text' | 'cut'> {
  return text.length <= most ? { text, cut: false } : { text: text.slice(0, most), cut: true };
}

/** The payload as `redact` and schemas see it: JSON as a value, else text or bytes. */
export function payloadOf(carrier: Carrier): {
  readonly kind: 'json' | 'text' | 'bytes';
  readonly value: unknown;
} {
  const content = unfolded(carrier) ?? carrier.content;
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

/** Whether it is UTF-8 without control characters that no text has. A cut at its end does no harm. */
function isText(content: Buffer): boolean {
  for (let cut = 0; cut < 4; cut++) {
    try {
      const text = decoder.decode(content.subarray(0, content.length - cut));
      return !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text);
    } catch {
      if (content.length - cut <= 0) return false;
    }
  }
  return false;
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
