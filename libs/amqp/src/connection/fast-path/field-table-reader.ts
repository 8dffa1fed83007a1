// Reads header tables as the client library does: the same values for the same bytes.

import { knownText } from './string-cache.js';

/** Deeper tables would overflow the stack of whoever reads them. */
const MAX_DEPTH = 200;

/** The entries of a table between two places. @throws TypeError, RangeError for what cannot be read */
export function readTable(bytes: Buffer, from: number, until: number, depth = 0): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (until > bytes.length) throw new RangeError('a table is longer than its frame');
  const table: Record<string, unknown> = {};
  const reader = new ValueReader(bytes, from, until, depth);
  while (reader.at < until) {
    const length = bytes[reader.at++];
    const name = knownText(bytes, reader.at, length);
    reader.at += length;
    if (reader.at >= until) throw new RangeError('an entry is longer than its table');
    table[name] = reader.value();
  }
  return table;
}

/** Values one after the other. */
class ValueReader {
  constructor(
    private readonly bytes: Buffer,
    public at: number,
    private readonly until: number,
    private readonly depth: number,
  ) {}

  value(): unknown {
    const { bytes } = this;
    const letter = String.fromCharCode(bytes[this.past(1)]);
    switch (letter) {
      case 'S': {
        const end = this.end();
        const text = bytes.toString('utf8', this.at, end);
        this.at = end;
        return text;
      }
      case 't':
        return bytes[this.past(1)] !== 0;
      case 'b':
        return bytes.readInt8(this.past(1));
      case 'B':
        return bytes.readUInt8(this.past(1));
      case 's':
        return bytes.readInt16BE(this.past(2));
      case 'u':
        return bytes.readUInt16BE(this.past(2));
      case 'I':
        return bytes.readInt32BE(this.past(4));
      case 'i':
        return bytes.readUInt32BE(this.past(4));
      case 'l':
        // The sum is rounded as the whole number would be.
        return bytes.readInt32BE(this.past(4)) * 2 ** 32 + bytes.readUInt32BE(this.past(4));
      case 'f':
        return bytes.readFloatBE(this.past(4));
      case 'd':
        return bytes.readDoubleBE(this.past(8));
      case 'T':
        return { '!': 'timestamp', value: Number(bytes.readBigUInt64BE(this.past(8))) };
      case 'V':
        return null;
      default:
        return this.composed(letter);
    }
  }

  private composed(letter: string): unknown {
    const { bytes } = this;
    switch (letter) {
      case 'D': {
        const at = this.past(5);
        return { '!': 'decimal', value: { places: bytes[at], digits: bytes.readUInt32BE(at + 1) } };
      }
      case 'x': {
        const end = this.end();
        const part = bytes.subarray(this.at, end);
        this.at = end;
        return part;
      }
      case 'F': {
        const end = this.end();
        const table = readTable(bytes, this.at, end, this.depth + 1);
        this.at = end;
        return table;
      }
      case 'A':
        return this.list();
      default:
        throw new TypeError(`Unexpected type tag "${letter}"`);
    }
  }

  private list(): unknown[] {
    const end = this.end();
    if (this.depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
    const inner = new ValueReader(this.bytes, this.at, end, this.depth + 1);
    const list: unknown[] = [];
    while (inner.at < end) list.push(inner.value());
    this.at = end;
    return list;
  }

  /** The end of something with its length in front. */
  private end(): number {
    const length = this.bytes.readUInt32BE(this.past(4));
    if (this.at + length > this.until) throw new RangeError('a value is longer than its table');
    return this.at + length;
  }

  private past(length: number): number {
    const { at } = this;
    this.at += length;
    if (this.at > this.until) throw new RangeError('a value is longer than its table');
    return at;
  }
}
