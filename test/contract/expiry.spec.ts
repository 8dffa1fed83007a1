// Messages and queues that expire. Nothing here compares times: a dead-letter queue, a consumer or the order of
// two expiries says what happened.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { until } from '../support/events.js';
import { channelRefusal, fresh, Session } from './session.js';

const SOON = 30;
const NEVER = 3_600_000;

onEachVersion('Expiry', (broker) => {
  const withDeadLetters = async (
    session: Session,
    args: object = {},
  ): Promise<{ queue: string; dead: string }> => {
    const dead = await session.queue();
    const queue = await session.queue({
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead, ...args },
    });
    return { queue, dead };
  };

  /** Publishes to an idle queue until it has expired. */
  const expired = async (session: Session, queue: string): Promise<void> => {
    const returned = session.returns();
    await until(async () => {
      // RabbitMQ 4 may nack what arrives while the queue goes.
      await session.publish('', queue, 'probe', { mandatory: true }).catch(() => undefined);
      return returned.size > 0;
    }, 'the idle queue to expire');
  };

  it('of a message follows the queue', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session, { 'x-message-ttl': SOON });
    await session.send(queue, ['a', 'b']);
    expect(await (await session.consume(dead)).bodies(2)).toEqual(['a', 'b']);
    expect(await session.drain(queue)).toEqual([]);
  });

  it('of a message follows its own expiration', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session);
    await session.send(queue, ['a'], { expiration: SOON });
    await session.send(queue, ['stays']);
    expect(await (await session.consume(dead)).bodies(1)).toEqual(['a']);
    expect(await session.drain(queue)).toEqual(['stays']);
  });

  it.each([
    ['its own', NEVER, SOON],
    ["the queue's", SOON, NEVER],
  ])('of a message takes the shorter of the two: %s', async (_, ofQueue, ofMessage) => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session, { 'x-message-ttl': ofQueue });
    await session.send(queue, ['short'], { expiration: ofMessage });
    expect(await (await session.consume(dead)).bodies(1)).toEqual(['short']);
  });

  it('of a message happens at the head of the queue: behind a longer one it waits', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session);
    await session.send(queue, ['long']);
    await session.send(queue, ['short'], { expiration: 1 });
    const marker = await withDeadLetters(session);
    await session.send(marker.queue, ['time has passed'], { expiration: SOON });
    await (await session.consume(marker.dead)).message();
    expect(await session.channel.checkQueue(queue)).toMatchObject({ messageCount: 2 });
    const head = await session.get(queue);
    expect(head && String(head.content)).toBe('long');
    expect(await (await session.consume(dead)).bodies(1)).toEqual(['short']);
  });

  /** Comes back when messages that expire `SOON` and were published before have. */
  const passed = async (session: Session): Promise<void> => {
    const marker = await withDeadLetters(session);
    await session.send(marker.queue, ['time has passed'], { expiration: 2 * SOON });
    await (await session.consume(marker.dead)).message();
  };

  it.each(['classic', 'quorum'])(
    'comes before delivery: behind a longer one, in a %s queue',
    async (type) => {
      const session = await Session.open(broker);
      const { queue, dead } = await withDeadLetters(session, { 'x-queue-type': type });
      await session.send(queue, ['long']);
      await session.send(queue, ['short', 'also short'], { expiration: SOON });
      await session.send(queue, ['stays']);
      await passed(session);
      expect(await (await session.consume(queue, { noAck: true })).bodies(2)).toEqual(['long', 'stays']);
      expect(await (await session.consume(dead)).bodies(2)).toEqual(['short', 'also short']);
    },
  );

  it('comes before delivery: behind a message of higher priority', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session, { 'x-max-priority': 5 });
    await session.send(queue, ['high'], { priority: 5 });
    await session.send(queue, ['low'], { expiration: SOON });
    await session.send(queue, ['stays']);
    await passed(session);
    expect(await (await session.consume(queue, { noAck: true })).bodies(2)).toEqual(['high', 'stays']);
    expect(await (await session.consume(dead)).bodies(1)).toEqual(['low']);
  });

  it('is over when the head of the queue is got: what is behind it counts no longer', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session);
    await session.send(queue, ['long']);
    await session.send(queue, ['short'], { expiration: SOON });
    await passed(session);
    const head = await session.get(queue);
    expect(head && head.fields.messageCount).toBe(0);
    expect(await (await session.consume(dead)).bodies(1)).toEqual(['short']);
  });

  it('does not touch a message that is delivered and not acked', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session, { 'x-message-ttl': SOON });
    const consumer = await session.consume(queue);
    await session.send(queue, ['held']);
    const held = await consumer.message();
    const marker = await withDeadLetters(session, { 'x-message-ttl': 2 * SOON });
    await session.send(marker.queue, ['time has passed']);
    await (await session.consume(marker.dead)).message();
    expect(await session.channel.checkQueue(dead)).toMatchObject({ messageCount: 0 });
    session.channel.ack(held);
  });

  it('reaches a message that was requeued too late', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session, { 'x-message-ttl': SOON });
    await session.send(queue, ['held']);
    const held = await session.channel.get(queue);
    const marker = await withDeadLetters(session, { 'x-message-ttl': 2 * SOON });
    await session.send(marker.queue, ['time has passed']);
    await (await session.consume(marker.dead)).message();
    if (held) session.channel.nack(held);
    expect(await (await session.consume(dead)).bodies(1)).toEqual(['held']);
  });

  it('after zero milliseconds still lets a waiting consumer have the message', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session, { 'x-message-ttl': 0 });
    await session.send(queue, ['nobody waits']);
    expect(await (await session.consume(dead)).bodies(1)).toEqual(['nobody waits']);
    const consumer = await session.consume(queue, { noAck: true });
    await session.send(queue, ['somebody waits']);
    expect(await consumer.bodies(1)).toEqual(['somebody waits']);
  });

  it('without a dead-letter exchange drops the message', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ messageTtl: SOON });
    await session.send(queue, ['gone']);
    await until(
      async () => (await session.channel.checkQueue(queue)).messageCount === 0,
      'the message to expire',
    );
    expect(await session.drain(queue)).toEqual([]);
  });

  it.each(['soon', '-1', '1.5', ''])('that is no number is refused with 406: "%s"', async (expiration) => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const refusal = await channelRefusal(session.channel, () =>
      session.channel.publish('', queue, Buffer.from('x'), { expiration }),
    );
    expect(refusal).toMatch(/^406 PRECONDITION_FAILED - invalid expiration /);
  });

  it('of an idle queue deletes it', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ expires: SOON });
    await expired(session, queue);
    expect(await channelRefusal(session.channel, () => session.channel.checkQueue(queue))).toContain('404');
  });

  it('of a queue waits while it has a consumer', async () => {
    const session = await Session.open(broker);
    const queue = fresh('queue');
    // In one go: a busy machine may take its time between the two.
    const [, consumer] = await Promise.all([
      session.channel.assertQueue(queue, { expires: 4 * SOON }),
      session.consume(queue, { noAck: true }),
    ]);
    const marker = await withDeadLetters(session, { 'x-message-ttl': 8 * SOON });
    await session.send(marker.queue, ['time has passed']);
    await (await session.consume(marker.dead)).message();
    await session.send(queue, ['still there']);
    expect(await consumer.bodies(1)).toEqual(['still there']);
  });

  it('of a queue does not dead-letter its messages', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await withDeadLetters(session, { 'x-expires': SOON });
    await expired(session, queue);
    expect(await session.drain(dead)).toEqual([]);
  });
});
