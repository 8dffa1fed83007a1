// Transactions of a channel: what they hold back, what a commit and a rollback do, and what does not go with them.
import { expect, it } from '@jest/globals';
import type { Channel } from 'amqplib';
import { onEachVersion, type TestBroker } from '../support/brokers.js';
import { nextEvent } from '../support/events.js';
import { channelRefusal, fresh, Session, text } from './session.js';

const METHODS = { select: 0x5a_000a, commit: 0x5a_0014, rollback: 0x5a_001e };

/** amqplib has no functions for transactions; its channels send any method and wait for the answer, which is the next one. */
async function tx(channel: Channel, method: keyof typeof METHODS): Promise<void> {
  const raw = channel as unknown as {
    rpc(method: number, fields: object, expected: number): Promise<unknown>;
  };
  await raw.rpc(METHODS[method], {}, METHODS[method] + 1);
}

/** A channel in a transaction, and another session that sees what others see. */
async function begin(
  broker: TestBroker,
): Promise<{ channel: Channel; other: Session; queue: string; ends: (count: number) => Promise<void> }> {
  const other = await Session.open(broker);
  const connection = await broker.connect();
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  await tx(channel, 'select');
  const queue = await other.queue();
  // What the channel did before is done when the broker has answered it.
  const ends = async (count: number): Promise<void> => {
    await channel.checkQueue(queue);
    expect((await other.channel.checkQueue(queue)).messageCount).toBe(count);
  };
  return { channel, other, queue, ends };
}

const body = (value: string): Buffer => Buffer.from(value);

onEachVersion('A transaction', (broker) => {
  it('publishes when it is committed, and can go on', async () => {
    const { channel, other, queue, ends } = await begin(broker);
    for (const value of ['a', 'b']) channel.sendToQueue(queue, body(value));
    await ends(0);
    await tx(channel, 'commit');
    await ends(2);
    channel.sendToQueue(queue, body('c'));
    await ends(2);
    await tx(channel, 'commit');
    expect(await other.drain(queue)).toEqual(['a', 'b', 'c']);
  });

  it('forgets what it published when it is rolled back, or its channel closes', async () => {
    const { channel, other, queue, ends } = await begin(broker);
    channel.sendToQueue(queue, body('a'));
    await tx(channel, 'rollback');
    await tx(channel, 'commit');
    await ends(0);
    channel.sendToQueue(queue, body('b'));
    await channel.close();
    expect(await other.drain(queue)).toEqual([]);
  });

  it('returns a mandatory message when it is committed', async () => {
    const { channel, ends } = await begin(broker);
    const returned: unknown[] = [];
    channel.on('return', (message) => returned.push(message));
    channel.publish('', fresh('nowhere'), body('a'), { mandatory: true });
    await ends(0);
    expect(returned).toHaveLength(0);
    await tx(channel, 'commit');
    expect(returned).toHaveLength(1);
    channel.publish('', fresh('nowhere'), body('b'), { mandatory: true });
    await tx(channel, 'rollback');
    await tx(channel, 'commit');
    expect(returned).toHaveLength(1);
  });

  it('checks what is published at once', async () => {
    const { channel, queue } = await begin(broker);
    const refusal = await channelRefusal(channel, () =>
      channel.sendToQueue(queue, body('a'), { expiration: 'x' }),
    );
    expect(refusal).toBe("406 PRECONDITION_FAILED - invalid expiration 'x': no_integer");
  });

  it('acks when it is committed', async () => {
    const { channel, other, queue } = await begin(broker);
    await other.send(queue, ['a', 'b', 'c']);
    const got = [await channel.get(queue), await channel.get(queue)];
    if (got[1]) channel.ack(got[1], true);
    await tx(channel, 'commit');
    await channel.close();
    expect(await other.drain(queue)).toEqual(['c']);
  });

  it('has what it acked unacked again when it is rolled back', async () => {
    const { channel, other, queue } = await begin(broker);
    await other.send(queue, ['a', 'b', 'c']);
    const got = [await channel.get(queue), await channel.get(queue)];
    if (got[1]) channel.ack(got[1], true);
    await tx(channel, 'rollback');
    if (got[0]) channel.ack(got[0]);
    await tx(channel, 'commit');
    await channel.close();
    expect(await other.drain(queue)).toEqual(['b', 'c']);
  });

  it('gives back what it acked and did not commit when its channel closes', async () => {
    const { channel, other, queue } = await begin(broker);
    await other.send(queue, ['a', 'b']);
    const message = await channel.get(queue);
    if (message) channel.ack(message);
    await channel.close();
    expect(await other.drain(queue)).toEqual(['a', 'b']);
  });

  it('requeues and rejects when it is committed', async () => {
    const { channel, other, queue, ends } = await begin(broker);
    await other.send(queue, ['a', 'b', 'c']);
    const got = [await channel.get(queue), await channel.get(queue)];
    if (got[0]) channel.nack(got[0]);
    if (got[1]) channel.nack(got[1], false, false);
    await ends(1);
    await tx(channel, 'commit');
    await ends(2);
    expect(await other.drain(queue)).toEqual(['a', 'c']);
  });

  it('knows a tag that it settled no longer', async () => {
    const { channel, other, queue } = await begin(broker);
    await other.send(queue, ['a']);
    const message = await channel.get(queue);
    if (message) channel.ack(message);
    const refusal = await channelRefusal(channel, () => message && channel.ack(message));
    expect(refusal).toBe('406 PRECONDITION_FAILED - unknown delivery tag 1');
  });

  it('leaves room in the prefetch only when it is committed', async () => {
    const { channel, other, queue, ends } = await begin(broker);
    await other.send(queue, ['a', 'b']);
    await channel.prefetch(1);
    const got: string[] = [];
    const second = nextEvent(other.connection, 'second', 'the second message');
    await channel.consume(queue, (message) => {
      got.push(text(message));
      if (message) channel.ack(message);
      if (got.length === 2) other.connection.emit('second');
    });
    await ends(1);
    expect(got).toEqual(['a']);
    await tx(channel, 'commit');
    await second;
    expect(got).toEqual(['a', 'b']);
  });

  it('that a full queue refuses a part of ends with 406', async () => {
    const { channel, other } = await begin(broker);
    const full = await other.queue({ arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
    for (const value of ['a', 'b']) channel.sendToQueue(full, body(value));
    expect(await channelRefusal(channel, () => tx(channel, 'commit'))).toBe(
      '406 PRECONDITION_FAILED - partial tx completion',
    );
    expect(await other.drain(full)).toEqual(['a']);
  });
});

onEachVersion('Transactions and confirms', (broker) => {
  it('can be begun twice, and committed and rolled back with nothing in them', async () => {
    const { channel, ends } = await begin(broker);
    await tx(channel, 'select');
    await tx(channel, 'commit');
    await tx(channel, 'rollback');
    await ends(0);
  });

  it.each(['commit', 'rollback'] as const)('have no %s before they are begun', async (method) => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => tx(channel, method))).toBe(
      '406 PRECONDITION_FAILED - channel is not transactional',
    );
  });

  it('are not for the same channel', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => tx(channel, 'select'))).toBe(
      '406 PRECONDITION_FAILED - cannot switch from confirm to tx mode',
    );
    const { channel: begun } = await begin(broker);
    const raw = begun as unknown as {
      rpc(method: number, fields: object, expected: number): Promise<unknown>;
    };
    const act = (): unknown => raw.rpc(0x55_000a, { nowait: false }, 0x55_000b);
    expect(await channelRefusal(begun, act)).toBe(
      '406 PRECONDITION_FAILED - cannot switch from tx to confirm mode',
    );
  });
});
