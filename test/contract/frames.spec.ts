// The protocol below any client library: headers, frames and methods that are wrong, and what the broker replies.
import { afterEach, expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { until } from '../support/events.js';
import { RawClient, shortString } from './raw-client.js';
import { Session } from './session.js';

onEachVersion('Frames', (broker) => {
  const open: RawClient[] = [];
  const ready = async (options?: { heartbeat?: number; frameMax?: number }): Promise<RawClient> => {
    const client = await RawClient.ready(broker.url, options);
    open.push(client);
    return client;
  };
  const socket = (): RawClient => {
    const client = RawClient.open(broker.url);
    open.push(client);
    return client;
  };
  afterEach(() => {
    for (const client of open.splice(0)) client.destroy();
  });

  const MINE = 'AMQP\x00\x00\x09\x01';
  const VERSION_1 = 'AMQP\x03\x01\x00\x00';

  it.each([
    ['another revision', 'AMQP\x00\x00\x09\x09', MINE],
    ['version 0-10', 'AMQP\x01\x01\x00\x0a', VERSION_1],
    ['another protocol', 'GET / HT', VERSION_1],
  ])('of %s are answered with a header that the broker speaks, then the end', async (_, header, since4) => {
    const client = socket();
    client.bytes(Buffer.from(header, 'latin1'));
    await client.ended();
    expect(client.rest.toString('latin1')).toBe(broker.since('4.0') ? since4 : MINE);
  });

  it.each([
    ['0-9 as its specification has it', 'AMQP\x01\x01\x00\x09', true],
    ['0-8', 'AMQP\x01\x01\x08\x00', false],
    ['0-9 as QPid has it', 'AMQP\x01\x01\x09\x01', false],
  ])('of version %s may begin', async (_, header, since4) => {
    const client = socket();
    client.bytes(Buffer.from(header, 'latin1'));
    if (since4 || !broker.since('4.0')) await client.expect('10.10');
    else await client.ended();
  });

  it('begin with version 0-9, PLAIN and AMQPLAIN, since 4.0 ANONYMOUS, and the locale en_US', async () => {
    const client = socket();
    client.bytes(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'));
    const { payload } = await client.expect('10.10');
    expect([payload.readUInt8(0), payload.readUInt8(1)]).toEqual([0, 9]);
    const afterTable = payload.subarray(6 + payload.readUInt32BE(2));
    const mechanisms = afterTable.toString('utf8', 4, 4 + afterTable.readUInt32BE(0));
    expect(mechanisms.split(' ').sort()).toEqual([
      'AMQPLAIN',
      ...(broker.since('4.0') ? ['ANONYMOUS'] : []),
      'PLAIN',
    ]);
    expect(afterTable.toString('utf8')).toMatch(/en_US$/);
  });

  it('that offer an unknown way to log in end before anything is agreed', async () => {
    const client = socket();
    await client.startOk(broker.url, 'KERBEROS');
    await client.givenUp();
    expect(client.methods.all.map(({ id }) => id)).not.toContain('10.30');
  });

  it('that ask for an unknown vhost are refused: 530', async () => {
    const client = socket();
    await client.startOk(broker.url);
    await client.tuneOk();
    client.openVhost('no-such-vhost');
    expect(await client.closeReply()).toBe('530 NOT_ALLOWED - vhost no-such-vhost not found');
  });

  it('propose 131072 bytes for a frame, 2047 channels and a heartbeat of 60 seconds', async () => {
    const client = socket();
    await client.startOk(broker.url);
    const { payload } = await client.expect('10.30');
    expect([payload.readUInt16BE(0), payload.readUInt32BE(2), payload.readUInt16BE(6)]).toEqual([
      2047, 131072, 60,
    ]);
  });

  it('with a wrong end are a frame error: 501', async () => {
    const client = await ready();
    client.frame(1, 1, Buffer.from([0, 20, 0, 20, 1]), 0x00);
    expect(await client.closeReply()).toMatch(/^501 FRAME_ERROR - /);
  });

  it('of an unknown type are refused', async () => {
    const client = await ready();
    client.frame(99, 1, Buffer.from('what?'));
    expect(await client.closeReply()).toMatch(/^(501 FRAME_ERROR|505 UNEXPECTED_FRAME) - /);
  });

  it('larger than agreed are a frame error: 501', async () => {
    const client = await ready({ frameMax: 8192 });
    client.frame(3, 1, Buffer.alloc(9000));
    expect(await client.closeReply()).toMatch(/^501 FRAME_ERROR - .*frame/i);
  });

  it('may be agreed to be as small as 4096 bytes, since 4.3 as 8192', async () => {
    const vhost = decodeURIComponent(new URL(broker.url).pathname.slice(1)) || '/';
    for (const frameMax of broker.since('4.3') ? [8192] : [8192, 8191, 4096]) {
      const client = socket();
      await client.startOk(broker.url);
      await client.tuneOk({ frameMax });
      client.openVhost(vhost);
      await client.expect('10.41');
    }
  });

  it('with a body that nobody announced are unexpected: 505', async () => {
    const client = await ready();
    client.frame(3, 1, Buffer.from('body'));
    expect(await client.closeReply()).toMatch(
      /^505 UNEXPECTED_FRAME - expected method frame, got non method frame instead/,
    );
  });

  it('with a method between a publish and its body are unexpected: 505', async () => {
    const client = await ready();
    client.method(1, 60, 40, Buffer.from([0, 0]), shortString(''), shortString('q'), Buffer.from([0]));
    client.method(1, 20, 20, Buffer.from([1]));
    expect(await client.closeReply()).toMatch(
      /^505 UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead/,
    );
  });

  it('on a channel that is not open are a channel error: 504', async () => {
    const client = await ready();
    client.method(7, 50, 10, Buffer.from([0, 0]), shortString('q'), Buffer.from([0, 0, 0, 0, 0]));
    expect(await client.closeReply()).toBe("504 CHANNEL_ERROR - expected 'channel.open'");
  });

  it('that open a channel twice are a channel error: 504', async () => {
    const client = await ready();
    client.method(1, 20, 10, Buffer.from([0]));
    expect(await client.closeReply()).toBe("504 CHANNEL_ERROR - second 'channel.open' seen");
  });

  it('with a method that does not exist end the connection', async () => {
    const client = await ready();
    client.method(1, 60, 199);
    await client.givenUp();
    expect(client.methods.all.map(({ id }) => id)).not.toContain('60.200');
  });

  it('with flow control are not implemented: 540', async () => {
    const client = await ready();
    client.method(1, 20, 20, Buffer.from([0]));
    expect(await client.closeReply()).toBe('540 NOT_IMPLEMENTED - active=false');
  });

  it('with an immediate publish are not implemented: 540', async () => {
    const client = await ready();
    client.method(1, 60, 40, Buffer.from([0, 0]), shortString(''), shortString('q'), Buffer.from([2]));
    client.frame(2, 1, Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    expect(await client.closeReply()).toBe('540 NOT_IMPLEMENTED - immediate=true');
  });

  it('with recover but no requeue are not implemented: 540', async () => {
    const client = await ready();
    client.method(1, 60, 110, Buffer.from([0]));
    expect(await client.closeReply()).toBe('540 NOT_IMPLEMENTED - requeue=false');
  });

  it('with a prefetch in bytes are not implemented: 540', async () => {
    const client = await ready();
    client.method(1, 60, 10, Buffer.from([0, 0, 0, 9, 0, 0, 0]));
    expect(await client.closeReply()).toBe('540 NOT_IMPLEMENTED - prefetch_size!=0 (9)');
  });

  it('with no-wait get no answer', async () => {
    const client = await ready();
    client.method(
      1,
      50,
      10,
      Buffer.from([0, 0]),
      shortString('raw-no-wait'),
      Buffer.from([0b11000, 0, 0, 0, 0]),
    );
    client.method(
      1,
      50,
      10,
      Buffer.from([0, 0]),
      shortString('raw-no-wait'),
      Buffer.from([0b00001, 0, 0, 0, 0]),
    );
    const { payload } = await client.expect('50.11');
    expect(payload.toString('utf8', 1, 1 + payload.readUInt8(0))).toBe('raw-no-wait');
  });

  it('that close the connection are answered', async () => {
    const client = await ready();
    client.method(0, 10, 50, Buffer.from([0, 200]), shortString('bye'), Buffer.from([0, 0, 0, 0]));
    await client.expect('10.51');
  });

  it('that close a channel are answered, and its number can be used again', async () => {
    const client = await ready();
    client.method(1, 20, 40, Buffer.from([0, 200]), shortString('bye'), Buffer.from([0, 0, 0, 0]));
    await client.expect('20.41');
    client.method(1, 20, 10, Buffer.from([0]));
    await client.expect('20.11');
  });

  it('come as heartbeats when a heartbeat was agreed, and a silent client is cut off', async () => {
    const client = await ready({ heartbeat: 1 });
    await client.ended();
    expect(client.heartbeats).toBeGreaterThan(0);
  });

  /** A client that consumes more than fits on the way to it, and reads nothing of it. */
  const choked = async (): Promise<{ client: RawClient; session: Session; queue: string; count: number }> => {
    const session = await Session.open(broker);
    const [queue, count] = [await session.queue(), 20];
    for (let n = 0; n < count; n++) await session.send(queue, ['x'.repeat(2 ** 20)]);
    const client = await ready({ heartbeat: 1 });
    client.read(false);
    const [ticket, flags, table] = [Buffer.alloc(2), Buffer.alloc(1), Buffer.alloc(4)];
    client.method(1, 60, 20, ticket, shortString(queue), shortString('choked'), flags, table);
    return { client, session, queue, count };
  };

  it('that are heartbeats end the client when they do not come, also while much is on its way to it', async () => {
    const { session, queue, count } = await choked();
    await until(
      async () => (await session.channel.checkQueue(queue)).messageCount === count,
      'the messages to come back',
    );
  });

  it('that are heartbeats keep a client that reads nothing', async () => {
    const { client, count } = await choked();
    const beat = setInterval(() => client.frame(8, 0, Buffer.alloc(0)), 200);
    try {
      for (let n = 0; n < 2; n++) await (await ready({ heartbeat: 1 })).ended();
      client.read(true);
      await client.expect('60.21');
      for (let n = 0; n < count; n++) await client.expect('60.60');
    } finally {
      clearInterval(beat);
    }
  });
});
