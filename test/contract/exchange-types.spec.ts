// Exchange types beyond the four of AMQP. RabbitMQ has some of them as plugins: where it does not know one, its checks
// have nothing to compare and end at once.
import { expect, it } from '@jest/globals';
import { onEachVersion, type TestBroker } from '../support/brokers.js';
import { channelRefusal, connectionRefusal, fresh, Session } from './session.js';

/** Whether the broker has exchanges of this type. */
async function has(broker: TestBroker, type: string): Promise<boolean> {
  const { connection, channel } = await Session.open(broker);
  connection.on('error', () => undefined);
  const options = { durable: false, arguments: { 'x-delayed-type': 'fanout' } };
  return channel.assertExchange(fresh('asked'), type, options).then(
    () => true,
    () => false,
  );
}

/** Publishes a message for each key and says which queue got which keys. */
async function spread(
  session: Session,
  exchange: string,
  queues: readonly string[],
  keys: readonly string[],
): Promise<Map<string, string>> {
  await Promise.all(keys.map((key) => session.publish(exchange, key, key)));
  const where = new Map<string, string>();
  for (const queue of queues) for (const key of await session.drain(queue)) where.set(key, queue);
  return where;
}

const many = (count: number): string[] => Array.from({ length: count }, (_, n) => `key ${n}`);
const shares = (where: Map<string, string>, queues: readonly string[]): number[] =>
  queues.map((queue) => [...where.values()].filter((each) => each === queue).length);

onEachVersion('A consistent hash exchange', (broker) => {
  it('gives each key to one queue, always the same, and a new queue takes only its share', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('x-consistent-hash');
    const queues: string[] = [];
    for (let n = 0; n < 3; n += 1) queues.push(await session.bound(exchange, ['10']));
    const keys = many(300);
    const before = await spread(session, exchange, queues, keys);
    expect(before.size).toBe(300);
    expect(await spread(session, exchange, queues, keys)).toEqual(before);
    const added = await session.bound(exchange, ['10']);
    const after = await spread(session, exchange, [...queues, added], keys);
    const moved = keys.filter((key) => after.get(key) !== before.get(key));
    expect(moved.every((key) => after.get(key) === added)).toBe(true);
    expect(moved.length).toBeGreaterThan(20);
    expect(moved.length).toBeLessThan(150);
  });

  it('follows the weights, of which the first of a queue counts', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('x-consistent-hash');
    const queues = [await session.bound(exchange, ['1', '9']), await session.bound(exchange, ['4'])];
    const [light, heavy] = shares(await spread(session, exchange, queues, many(600)), queues);
    expect(heavy / light).toBeGreaterThan(2);
    expect(heavy / light).toBeLessThan(8);
  });

  it.each([
    ['0', 'The binding key must be greater than 0'],
    ['-1', 'The binding key must be greater than 0'],
    ['x', 'The binding key must be an integer: <<"x">>'],
    ['', 'The binding key must be an integer: <<>>'],
  ])('has no weight of %j', async (key, text) => {
    const session = await Session.open(broker);
    const [exchange, queue] = [await session.exchange('x-consistent-hash'), await session.queue()];
    expect(await channelRefusal(session.channel, () => session.channel.bindQueue(queue, exchange, key))).toBe(
      `406 PRECONDITION_FAILED - ${text}`,
    );
  });

  it('hashes a header or a property, not both, and not any property', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('x-consistent-hash', { arguments: { 'hash-header': 'h' } });
    const queues = [await session.bound(exchange, ['1']), await session.bound(exchange, ['1'])];
    for (const key of many(20)) await session.publish(exchange, key, key, { headers: { h: 'same' } });
    expect(shares(await spread(session, exchange, queues, []), queues).includes(0)).toBe(true);
    for (const [args, text] of [
      [
        { 'hash-header': 'a', 'hash-property': 'message_id' },
        'hash-header and hash-property are mutually exclusive',
      ],
      [{ 'hash-property': 'priority' }, 'Unsupported property: priority'],
    ] as const) {
      const other = await session.sibling();
      const act = (): unknown => other.exchange('x-consistent-hash', { arguments: args });
      expect(await channelRefusal(other.channel, act)).toBe(`406 PRECONDITION_FAILED - ${text}`);
    }
  });
});

onEachVersion('An exchange that picks one queue', (broker) => {
  it.each([
    ['x-random', 'any'],
    ['x-local-random', ''],
    ['x-modulus-hash', 'any'],
  ])('of type %s gives every message to one of all queues', async (type, key) => {
    if (!(await has(broker, type))) return;
    const session = await Session.open(broker);
    const exchange = await session.exchange(type);
    const queues: string[] = [];
    for (let n = 0; n < 3; n += 1) queues.push(await session.bound(exchange, [key]));
    const where = await spread(session, exchange, queues, many(300));
    expect(where.size).toBe(300);
    for (const share of shares(where, queues)) expect(share).toBeGreaterThan(40);
  });

  it('of type x-modulus-hash always picks the same one for a key', async () => {
    if (!(await has(broker, 'x-modulus-hash'))) return;
    const session = await Session.open(broker);
    const exchange = await session.exchange('x-modulus-hash');
    const queues = [await session.bound(exchange, ['']), await session.bound(exchange, [''])];
    const first = await spread(session, exchange, queues, many(50));
    expect(await spread(session, exchange, queues, many(50))).toEqual(first);
  });

  it('came with RabbitMQ 4, when it is x-local-random', async () => {
    if (broker.since('4.0')) {
      expect(await has(broker, 'x-local-random')).toBe(true);
      return;
    }
    const { connection, channel } = await Session.open(broker);
    const act = (): unknown => channel.assertExchange(fresh('local'), 'x-local-random');
    expect(await connectionRefusal(connection, act)).toBe(
      "503 COMMAND_INVALID - unknown exchange type 'x-local-random'",
    );
  });

  it.each([
    ['a key', 'k', { type: 'queue' }, "Non empty binding 'k' key not permitted"],
    [
      'a quorum queue',
      '',
      { type: 'quorum' },
      'Queue type rabbit_quorum_queue not valid for this exchange type',
    ],
    ['an exchange', '', { type: 'exchange' }, 'Destination not found'],
  ])('of type x-local-random does not bind %s', async (_, key, { type }, text) => {
    if (!broker.since('4.0')) return;
    const session = await Session.open(broker);
    const { channel } = session;
    const source = await session.exchange('x-local-random');
    const args = type === 'quorum' ? { arguments: { 'x-queue-type': 'quorum' } } : {};
    const to = type === 'exchange' ? await session.exchange('fanout') : await session.queue(args);
    const act = (): unknown =>
      type === 'exchange' ? channel.bindExchange(to, source, key) : channel.bindQueue(to, source, key);
    expect(await channelRefusal(channel, act)).toBe(`406 PRECONDITION_FAILED - ${text}`);
  });
});

onEachVersion('A recent history exchange', (broker) => {
  it('gives a queue that is bound later the last messages, but for those that say no', async () => {
    if (!(await has(broker, 'x-recent-history'))) return;
    const session = await Session.open(broker);
    const args = { arguments: { 'x-recent-history-length': 3 } };
    const exchange = await session.exchange('x-recent-history', args);
    const early = await session.bound(exchange, ['']);
    for (const body of ['a', 'b', 'c', 'd']) await session.publish(exchange, '', body);
    await session.publish(exchange, '', 'e', { headers: { 'x-recent-history-no-store': true } });
    expect(await session.drain(early)).toEqual(['a', 'b', 'c', 'd', 'e']);
    const late = await session.bound(exchange, ['']);
    await session.publish(exchange, '', 'f');
    expect((await session.drain(late)).sort()).toEqual(['b', 'c', 'd', 'f']);
  });
});

onEachVersion('A delayed message exchange', (broker) => {
  const delayed = (type: string): object => ({ arguments: { 'x-delayed-type': type } });

  it('delivers by delay, not by arrival, and tells it with a negative header', async () => {
    if (!(await has(broker, 'x-delayed-message'))) return;
    const session = await Session.open(broker);
    const exchange = await session.exchange('x-delayed-message', delayed('topic'));
    const queue = await session.bound(exchange, ['wanted.#']);
    for (const delay of [120, 60, 0, -5]) {
      await session.publish(exchange, 'wanted.key', String(delay), { headers: { 'x-delay': delay, own: 1 } });
    }
    await session.publish(exchange, 'other', 'never', { headers: { 'x-delay': 10 } });
    const consumer = await session.consume(queue, { noAck: true });
    const got = await consumer.got.take(4);
    expect(got.map((message) => [String(message?.content), message?.properties.headers])).toEqual([
      ['0', { 'x-delay': 0, own: 1 }],
      ['-5', { 'x-delay': -5, own: 1 }],
      ['60', { 'x-delay': -60, own: 1 }],
      ['120', { 'x-delay': -120, own: 1 }],
    ]);
    expect(got[3]?.fields).toMatchObject({ exchange, routingKey: 'wanted.key', redelivered: false });
  });

  it('does not hold back a message with a delay that is no number', async () => {
    // RabbitMQ cannot read such a number at all.
    if (broker.kind === 'rabbitmq') return;
    const session = await Session.open(broker);
    const exchange = await session.exchange('x-delayed-message', delayed('fanout'));
    const consumer = await session.consume(await session.bound(exchange, ['']));
    const later = { headers: { 'x-delay': 10 } };
    await session.publish(exchange, '', 'at once', {
      headers: { 'x-delay': { '!': 'double', value: Number.NaN } },
    });
    await session.publish(exchange, '', 'later', later);
    expect(await consumer.bodies(2)).toEqual(['at once', 'later']);
  });

  it('returns a mandatory message that it holds back, and one without a delay only without a queue', async () => {
    if (!(await has(broker, 'x-delayed-message'))) return;
    const session = await Session.open(broker);
    const exchange = await session.exchange('x-delayed-message', delayed('fanout'));
    const queue = await session.bound(exchange, ['']);
    const returned = session.returns();
    await session.publish(exchange, '', 'now', { mandatory: true });
    await session.publish(exchange, '', 'later', { mandatory: true, headers: { 'x-delay': '20' } });
    expect(String((await returned.one()).content)).toBe('later');
    expect(await (await session.consume(queue)).bodies(2)).toEqual(['now', 'later']);
  });

  it('needs the type that it is when the delay is over', async () => {
    if (!(await has(broker, 'x-delayed-message'))) return;
    const session = await Session.open(broker);
    expect(await channelRefusal(session.channel, () => session.exchange('x-delayed-message'))).toMatch(
      /^406 PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be/,
    );
  });
});
