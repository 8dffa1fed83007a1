// What the broker says to bytes that make no sense: the same codes and words as RabbitMQ, as far as a client gets to see
// them. Where RabbitMQ itself falls over, or says nothing, there is nothing to compare.
import { afterEach, expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { RawClient, shortString } from './raw-client.js';

const NOT_UTF8 = Buffer.from([2, 0xc3, 0x28]);
const RUNNING = '504 CHANNEL_ERROR - unexpected method in connection state running';
const declare = (name: Buffer, ...rest: Buffer[]): Buffer[] => [Buffer.from([0, 0]), name, ...rest];
const publish = (client: RawClient, header: Buffer): void => {
  client.method(1, 60, 40, Buffer.from([0, 0]), shortString(''), shortString('q'), Buffer.from([0]));
  client.frame(2, 1, header);
};
const header = (classId: number, size: bigint): Buffer => {
  const bytes = Buffer.alloc(14);
  bytes.writeUInt16BE(classId, 0);
  bytes.writeBigUInt64BE(size, 4);
  return bytes;
};

/** What is sent, and the reply of the broker. */
const cases: readonly (readonly [string, (client: RawClient) => void, string])[] = [
  [
    'queue.declare on channel 0',
    (c) => c.method(0, 50, 10, ...declare(shortString('q'), Buffer.alloc(5))),
    RUNNING,
  ],
  ['channel.open on channel 0', (c) => c.method(0, 20, 10, Buffer.from([0])), RUNNING],
  ['a second connection.open', (c) => c.openVhost('/'), RUNNING],
  ['a second tune-ok', (c) => c.method(0, 10, 31, Buffer.alloc(8)), RUNNING],
  ['a close-ok of the connection that nobody asked for', (c) => c.method(0, 10, 51), RUNNING],
  [
    'connection.close on channel 1',
    (c) => c.method(1, 10, 50, Buffer.from([0, 200]), shortString(''), Buffer.alloc(4)),
    '503 COMMAND_INVALID - unimplemented method',
  ],
  [
    'a method that only brokers send',
    (c) => c.method(1, 20, 11, Buffer.alloc(4)),
    '503 COMMAND_INVALID - unimplemented method',
  ],
  [
    'a method that is cut off',
    (c) => c.method(1, 50, 10, Buffer.from([0, 0, 9, 65])),
    '501 FRAME_ERROR - cannot decode <<0,0,9,65>>',
  ],
  [
    'a table longer than its frame',
    (c) => c.method(1, 50, 10, ...declare(shortString('q'), Buffer.from([0, 0, 0, 0, 99]))),
    '501 FRAME_ERROR - cannot decode <<0,0,1,113,0,0,0,0,99>>',
  ],
  [
    'bytes behind a method',
    (c) => c.method(1, 50, 10, ...declare(shortString('q'), Buffer.from([0, 0, 0, 0, 0, 1, 2, 3]))),
    '501 FRAME_ERROR - cannot decode <<0,0,1,113,0,0,0,0,0,1,2,3>>',
  ],
  [
    'a queue name that is not UTF-8',
    (c) => c.method(1, 50, 10, ...declare(NOT_UTF8, Buffer.from([0b11000, 0, 0, 0, 0]))),
    '501 FRAME_ERROR - Malformed UTF-8 in shortstr',
  ],
  [
    'a heartbeat on channel 1',
    (c) => c.frame(8, 1, Buffer.alloc(0)),
    '505 UNEXPECTED_FRAME - type 8, all octets = <<>>',
  ],
  [
    'a heartbeat with something in it',
    (c) => c.frame(8, 0, Buffer.from('x')),
    '501 FRAME_ERROR - type 8, all octets = <<"x">>: unknown_frame',
  ],
  [
    'a frame of an unknown type',
    (c) => c.frame(99, 1, Buffer.from('what')),
    '501 FRAME_ERROR - type 99, all octets = <<"what">>: unknown_frame',
  ],
  [
    'a method frame with nothing in it',
    (c) => c.frame(1, 1, Buffer.alloc(0)),
    '501 FRAME_ERROR - type 1, all octets = <<>>: unknown_frame',
  ],
  [
    'a wrong frame end',
    (c) => c.frame(1, 1, Buffer.from([0, 20, 0, 20, 1]), 0),
    '501 FRAME_ERROR - type 1, all octets = <<0,20,0,20,1>>: {invalid_frame_end_marker,0}',
  ],
  [
    'the header of another class behind a publish',
    (c) => publish(c, header(50, 0n)),
    '505 UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead',
  ],
];

/** Flags and properties that do not fit together, in a content header. */
const unreadable: readonly (readonly [string, number[]])[] = [
  ['a text longer than its frame', [0x80, 0, 255]],
  ['flags without their properties', [0x80, 0]],
  ['half a time', [0, 0x40, 0, 0, 0, 0]],
  ['bytes behind the last property', [0x80, 0, 1, 65, 66]],
  ['bytes behind flags that say there are none', [0, 0, 1]],
  ['more flags than there are', [0, 1, 0x80, 0, 1, 65]],
  ['headers longer than their frame', [0x20, 0, 0, 0, 0, 9]],
  ['headers that are no table', [0x20, 0, 0, 0, 0, 2, 9, 9]],
];

onEachVersion('Bytes that make no sense', (broker) => {
  const open: RawClient[] = [];
  const ready = async (): Promise<RawClient> => {
    const client = await RawClient.ready(broker.url);
    open.push(client);
    return client;
  };
  afterEach(() => {
    for (const client of open.splice(0)) client.destroy();
  });

  it.each(cases)('are refused as by RabbitMQ: %s', async (_, send, expected) => {
    const client = await ready();
    send(client);
    expect(await client.closeReply()).toBe(expected);
  });

  it.each(unreadable)('end the connection of a publisher, as properties: %s', async (_, properties) => {
    const client = await ready();
    publish(client, Buffer.concat([header(60, 0n).subarray(0, 12), Buffer.from(properties)]));
    // RabbitMQ has an internal error.
    expect(await client.closeReply()).toMatch(broker.kind === 'embedded' ? '502 SYNTAX_ERROR - ' : '541 ');
  });

  it('are passed over when they are flags that no property has', async () => {
    const client = await ready();
    for (const flags of [1, 2, 3])
      publish(client, Buffer.concat([header(60, 0n).subarray(0, 12), Buffer.of(0, flags)]));
    client.method(1, 20, 40, Buffer.from([0, 200]), shortString('bye'), Buffer.alloc(4));
    await client.expect('20.41');
  });

  it('are refused since 4.3: more body than was announced, or announced beyond all bounds', async () => {
    // Before that, RabbitMQ says nothing.
    if (!broker.since('4.3')) return;
    const long = await ready();
    publish(long, header(60, 2n));
    long.frame(3, 1, Buffer.from('long'));
    expect(await long.closeReply()).toBe(
      '501 FRAME_ERROR - content body frame exceeds remaining content size',
    );
    const huge = await ready();
    publish(huge, header(60, 2n ** 40n));
    expect(await huge.closeReply()).toBe(
      '501 FRAME_ERROR - content body size 1099511627776 exceeds maximum allowed size 536870912',
    );
  });
});
