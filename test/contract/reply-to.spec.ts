// Direct reply-to: requests and answers without a reply queue.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, Session, text, type TestConsumer } from './session.js';

const PSEUDO = 'amq.rabbitmq.reply-to';

onEachVersion('Direct reply-to', (broker) => {
  const client = async (): Promise<Session & { replies: TestConsumer }> => {
    const session = await Session.open(broker);
    return Object.assign(session, { replies: await session.consume(PSEUDO, { noAck: true }) });
  };

  const addressOf = async (session: Session): Promise<string> => {
    const queue = await session.queue();
    await session.publish('', queue, 'request', { replyTo: PSEUDO });
    const request = await session.get(queue);
    return String(request && request.properties.replyTo);
  };

  it('gives each request an address that leads back to this channel', async () => {
    const asking = await client();
    const address = await addressOf(asking);
    expect(address).toMatch(/^amq\.rabbitmq\.reply-to\../);
    expect(await addressOf(asking)).toBe(address);
    const other = await client();
    expect(await addressOf(other)).not.toBe(address);
  });

  it('carries the answer from another connection, with its properties', async () => {
    const [asking, server] = [await client(), await Session.open(broker)];
    const address = await addressOf(asking);
    await server.publish('', address, 'answer', { correlationId: 'c1', headers: { ok: true } });
    const answer = await asking.replies.message();
    expect(answer).toMatchObject({
      fields: { exchange: '', routingKey: address, consumerTag: asking.replies.tag },
      properties: { correlationId: 'c1', headers: { ok: true } },
    });
    expect(text(answer)).toBe('answer');
  });

  it('carries several answers in order', async () => {
    const [asking, server] = [await client(), await Session.open(broker)];
    const address = await addressOf(asking);
    for (const body of ['1', '2', '3']) await server.publish('', address, body);
    expect(await asking.replies.bodies(3)).toEqual(['1', '2', '3']);
  });

  it('answers a passive declare of the address while the client is there', async () => {
    const [asking, server] = [await client(), await Session.open(broker)];
    const address = await addressOf(asking);
    await expect(server.channel.checkQueue(address)).resolves.toMatchObject({ queue: address });
  });

  it('fails a passive declare of the address with 404 when the client has gone', async () => {
    const [asking, server] = [await client(), await Session.open(broker)];
    const address = await addressOf(asking);
    await asking.connection.close();
    expect(await channelRefusal(server.channel, () => server.channel.checkQueue(address))).toMatch(
      /^404 NOT_FOUND - no queue 'amq\.rabbitmq\.reply-to\./,
    );
  });

  it('returns a mandatory answer until 4.3, although it is delivered: the address is no queue', async () => {
    const [asking, server] = [await client(), await Session.open(broker)];
    const address = await addressOf(asking);
    const returned = server.returns();
    await server.publish('', address, 'answer', { mandatory: true });
    if (!broker.since('4.3'))
      expect((await returned.one()).fields).toMatchObject({ replyCode: 312, routingKey: address });
    expect(text(await asking.replies.message())).toBe('answer');
    expect(returned.size).toBe(broker.since('4.3') ? 0 : 1);
  });

  it('loses the answer to a client that has gone without an error', async () => {
    const [asking, server] = [await client(), await Session.open(broker)];
    const address = await addressOf(asking);
    await asking.connection.close();
    await expect(server.publish('', address, 'too late')).resolves.toBeUndefined();
  });

  it('returns a mandatory request that nobody serves', async () => {
    const asking = await client();
    const returned = asking.returns();
    await asking.publish('', 'no-such-service', 'x', { replyTo: PSEUDO, mandatory: true });
    expect((await returned.one()).fields).toMatchObject({ replyCode: 312 });
  });

  it('leaves any other reply address as it is', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    await session.publish('', queue, 'x', { replyTo: 'my-queue' });
    expect(await session.get(queue)).toMatchObject({ properties: { replyTo: 'my-queue' } });
  });

  it('refuses a consumer that would ack, with 406', async () => {
    const { channel } = await Session.open(broker);
    expect(await channelRefusal(channel, () => channel.consume(PSEUDO, () => undefined))).toBe(
      '406 PRECONDITION_FAILED - reply consumer cannot acknowledge',
    );
  });

  it('refuses a second consumer on the channel, with 406', async () => {
    const asking = await client();
    expect(await channelRefusal(asking.channel, () => asking.consume(PSEUDO, { noAck: true }))).toBe(
      '406 PRECONDITION_FAILED - reply consumer already set',
    );
  });

  it('refuses a request from a channel that does not consume answers, with 406', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    expect(
      await channelRefusal(session.channel, () =>
        session.channel.publish('', queue, Buffer.from('x'), { replyTo: PSEUDO }),
      ),
    ).toBe('406 PRECONDITION_FAILED - fast reply consumer does not exist');
  });

  it('can be cancelled and started again on the same channel', async () => {
    const session = await Session.open(broker);
    const first = await session.consume(PSEUDO, { noAck: true });
    await session.channel.cancel(first.tag);
    const second = await session.consume(PSEUDO, { noAck: true });
    await session.publish('', await addressOf(session), 'answer');
    expect(await second.bodies(1)).toEqual(['answer']);
  });

  it('answers a passive declare of the name itself', async () => {
    const asking = await client();
    await expect(asking.channel.checkQueue(PSEUDO)).resolves.toMatchObject({ queue: PSEUDO });
  });
});
