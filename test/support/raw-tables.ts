// Header tables as bytes, and a way to publish them: what no client library would write, but what a broker takes and
// hands on to whoever consumes.
import type { Channel } from 'amqplib';

/** A value of a table: its type tag and its bytes. */
export function value(tag: string, ...bytes: (Buffer | number[])[]): Buffer {
  return Buffer.concat([Buffer.from(tag), ...bytes.map((part) => Buffer.from(part))]);
}

/** A long text or bytes, `length` first. */
export function long(content: Buffer): Buffer {
  return Buffer.concat([uint32(content.length), content]);
}

/** An entry of a table. */
export function entry(name: string | Buffer, content: Buffer): Buffer {
  const key = Buffer.from(name as string);
  return Buffer.concat([Buffer.from([key.length]), key, content]);
}

export function uint32(number: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(number);
  return buffer;
}

export function double(number: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(number);
  return value('d', buffer);
}

/** An entry that holds tables in tables (`F`) or lists in lists (`A`), so many. */
export function nested(kind: 'F' | 'A', levels: number): Buffer {
  const head = kind === 'F' ? Buffer.from([0, 0x46]) : Buffer.from([0x41]);
  const parts: Buffer[] = [];
  for (let inner = levels - 1; inner >= 0; inner--) parts.push(head, uint32(inner * (head.length + 4)));
  const whole = Buffer.concat(parts);
  return kind === 'F' ? whole : entry('list', whole);
}

/** Publishes with a table of these entries, and with the timestamp if there is one: eight bytes. */
export function publishRaw(
  channel: Channel,
  exchange: string,
  routingKey: string,
  body: Buffer,
  { table, timestamp }: { readonly table: Buffer; readonly timestamp?: Buffer },
): void {
  const short = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  const type = short('application/json');
  const flags = 0x8000 | 0x2000 | (timestamp ? 0x40 : 0);
  const method = Buffer.concat([
    Buffer.from([0, 60, 0, 40, 0, 0]),
    short(exchange),
    short(routingKey),
    Buffer.from([0]),
  ]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length));
  const properties = Buffer.concat([
    Buffer.from([0, 60, 0, 0]),
    size,
    Buffer.from([flags >> 8, flags & 0xff]),
    type,
    long(table),
    timestamp ?? Buffer.alloc(0),
  ]);
  const { ch, connection } = channel as unknown as {
    ch: number;
    connection: { stream: { write(bytes: Buffer): void } };
  };
  const frame = (kind: number, payload: Buffer): Buffer =>
    Buffer.concat([Buffer.from([kind, ch >> 8, ch & 0xff]), long(payload), Buffer.from([0xce])]);
  // An empty body has no frame at all.
  const frames = [frame(1, method), frame(2, properties), ...(body.length === 0 ? [] : [frame(3, body)])];
  connection.stream.write(Buffer.concat(frames));
}
