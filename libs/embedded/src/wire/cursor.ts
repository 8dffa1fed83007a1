// Reads AMQP's primitive types from a buffer, checking every length: the bytes come from the network and
// cannot be trusted.
import { isUtf8 } from 'node:buffer';
import { AmqpFailure } from '../model/failure.js';

const TWO_32 = 0x1_0000_0000;

export class Cursor {
  private bitOctet = 0;
  private bitMask = 0;

  constructor(
    private readonly bytes: Buffer,
    private at = 0,
    private readonly end: number = bytes.length,
  ) {}

  get left(): number {
    return this.end - this.at;
  }

  /** Bits of neighbouring bit fields share an octet, lowest first. */
  bit(): boolean {
    if (this.bitMask === 0 || this.bitMask > 0x80) {
      this.bitOctet = this.octet();
      this.bitMask = 1;
    }
    const value = (this.bitOctet & this.bitMask) !== 0;
    this.bitMask <<= 1;
    return value;
  }

  octet(): number {
    const at = this.claim(1);
    return this.bytes[at];
  }

  signedOctet(): number {
    return (this.octet() << 24) >> 24;
  }

  short(): number {
    return this.bytes.readUInt16BE(this.claim(2));
  }

  signedShort(): number {
    return this.bytes.readInt16BE(this.claim(2));
  }

  long(): number {
    return this.bytes.readUInt32BE(this.claim(4));
  }

  signedLong(): number {
    return this.bytes.readInt32BE(this.claim(4));
  }

  /** Delivery tags and sizes; beyond 2^53 precision is lost, which no client of ours reaches. */
  longlong(): number {
    const at = this.claim(8);
    return this.bytes.readUInt32BE(at) * TWO_32 + this.bytes.readUInt32BE(at + 4);
  }

  big(): bigint {
    return this.bytes.readBigInt64BE(this.claim(8));
  }

  float(): number {
    return this.bytes.readFloatBE(this.claim(4));
  }

  double(): number {
    return this.bytes.readDoubleBE(this.claim(8));
  }

  /** A name in a method, which must be UTF-8; elsewhere it is `looseShortstr`. */
  shortstr(): string {
    const from = this.at + 1;
    const text = this.looseShortstr();
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(from, this.at))) {
      throw new AmqpFailure(501, 'Malformed UTF-8 in shortstr');
    }
    return text;
  }

  looseShortstr(): string {
    const size = this.octet();
    const at = this.claim(size);
    return this.bytes.toString('utf8', at, at + size);
  }

  longstr(): Buffer {
    return this.take(this.long());
  }

  take(size: number): Buffer {
    const at = this.claim(size);
    return this.bytes.subarray(at, at + size);
  }

  /** Every field that is not a bit ends a run of bits. */
  private claim(size: number): number {
    const at = this.at;
    if (size > this.end - at) throw new AmqpFailure(502, 'a field is longer than the frame it is in');
    this.at = at + size;
    this.bitMask = 0;
    return at;
  }
}
