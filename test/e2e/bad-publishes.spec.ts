// Whatever an application asks to have sent: it fails alone and says why, before anything went over the wire; what is
// under way beside it is confirmed, and the channel stays.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PublishOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { LIMIT, publishes, type BadPublish } from '../support/bad-publishes.js';
import { count, kept, rejection, taken, warren, type Warren } from '../support/warren.js';

onEachBroker('bad publishes', (broker) => {
  let rabbit: Warren;
  let sent = 0;

  beforeAll(async () => {
    rabbit = kept(warren(broker.url, { maxMessageBytes: LIMIT }));
    await rabbit.open();
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('beside');
    await channel.assertQueue('bad');
  });
  afterAll(() => rabbit.broker.close());

  it.each(publishes.map((bad): [string, BadPublish] => [bad.name, bad]))('%s', async (_, bad) => {
    const neighbour = rabbit.broker.send('beside', 'before');
    const failing = rejection(
      rabbit.broker.publish(bad.routingKey as string, bad.payload, { exchange: '', ...bad.options }),
    );
    const after = rabbit.broker.send('beside', 'after');
    sent += 2;
    const error = await failing;
    expect(error.message).toMatch(bad.says);
    expect(error.code).toMatch(/^WARREN_(ENCODE|CONFIG)$/);
    await Promise.all([neighbour, after]);
    expect(rabbit.broker.status().publishing).toEqual({ unconfirmed: 0, waiting: 0 });
  });

  it('all that was sent beside them is there, nothing of them is, and no connection was lost', async () => {
    expect(await count(broker, 'beside')).toBe(sent);
    expect(await count(broker, 'bad')).toBe(0);
    expect(rabbit.events.all.map(({ kind }) => kind)).not.toContain('disconnected');
  });

  it('the same mistakes in a call reject the call, and the next one works', async () => {
    const server = await warren(broker.url)
      .rpc('double', ({ payload }) => (payload as number) * 2)
      .open();
    for (const bad of publishes) {
      const { delay, expiration, ...options } = bad.options as PublishOptions;
      if (delay !== undefined || expiration !== undefined || bad.routingKey !== 'bad') continue;
      const said = await rabbit.broker.request('double', bad.payload, options).then(
        () => 'it was answered',
        ({ message }: Error) => message,
      );
      expect([bad.name, said]).toEqual([bad.name, expect.stringMatching(bad.says)]);
    }
    expect(await rabbit.broker.request('double', 21)).toBe(42);
    expect(server.broker.status().pendingCalls).toBe(0);
  });

  const asMeant: [string, unknown, PublishOptions, object][] = [
    ['a Date', 1, { headers: { odd: new Date(5_000) } }, { odd: { '!': 'timestamp', value: 5 } }],
    ['bytes of any kind', 1, { headers: { odd: new Uint8Array([1, 2]) } }, { odd: Buffer.from([1, 2]) }],
    ['a large number with a fraction', 1, { headers: { odd: 2 ** 51 + 0.5 } }, { odd: 2 ** 51 + 0.5 }],
    ['a number below all 64 bits', 1, { headers: { odd: -1e300 } }, { odd: -1e300 }],
    ['undefined, which is left out', 1, { headers: { odd: undefined, a: { b: undefined } } }, { a: {} }],
  ];
  it.each(asMeant)('a header that is %s arrives as it was meant', async (_, payload, options, headers) => {
    await rabbit.broker.send('bad', payload, options);
    expect((await taken(broker, 'bad')).properties.headers).toEqual(headers);
  });

  it.each(['gzip', 'deflate', 'br'] as const)(
    'a body compressed with %s is read on the other side',
    async (contentEncoding) => {
      const large = { text: 'x'.repeat(1_000) };
      const reader = warren(broker.url);
      const read = new Promise((resolve) =>
        reader.consume(`packed.${contentEncoding}`, ({ payload }) => resolve(payload)),
      );
      await reader.open();
      await rabbit.broker.send(`packed.${contentEncoding}`, large, { contentEncoding });
      expect(await read).toEqual(large);
      await rabbit.broker.send('bad', large, { contentEncoding });
      const { content, properties } = await taken(broker, 'bad');
      expect([properties.contentEncoding, content.length < 200]).toEqual([contentEncoding, true]);
    },
  );

  it('the user of the connection may be named', async () => {
    const userId = decodeURIComponent(new URL(broker.url).username) || 'guest';
    await rabbit.broker.send('bad', 1, { userId });
    expect((await taken(broker, 'bad')).properties.userId).toBe(userId);
  });

  it('an exchange that does not exist fails by its name, and what is under way beside it is confirmed', async () => {
    const good = Array.from({ length: 50 }, () => rabbit.broker.send('beside', 1));
    const failing = rejection(rabbit.broker.publish('key', 1, { exchange: 'no.such.exchange' }));
    good.push(...Array.from({ length: 50 }, () => rabbit.broker.send('beside', 1)));
    expect(await failing).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISSING',
      message: expect.stringContaining("'no.such.exchange'"),
    });
    expect(await Promise.all(good)).toHaveLength(100);
  });

  it('an exchange that somebody deletes costs those who publish to it, and no other', async () => {
    const admin = await (await broker.connect()).createChannel();
    await admin.assertExchange('short.lived', 'fanout');
    await rabbit.broker.publish('', 1, { exchange: 'short.lived' });
    await admin.deleteExchange('short.lived');
    const good = Array.from({ length: 50 }, () => rabbit.broker.send('beside', 1));
    const failing = rejection(rabbit.broker.publish('', 1, { exchange: 'short.lived' }));
    good.push(...Array.from({ length: 50 }, () => rabbit.broker.send('beside', 1)));
    const error = await failing;
    expect([error.code, error.message]).toEqual([
      'WARREN_PUBLISH_UNKNOWN',
      expect.stringContaining("no exchange 'short.lived'"),
    ]);
    expect(await Promise.all(good)).toHaveLength(100);
    expect((await rejection(rabbit.broker.publish('', 1, { exchange: 'short.lived' }))).code).toBe(
      'WARREN_TOPOLOGY_MISSING',
    );
  });
});

onEachBroker('publishing without permission', (broker) => {
  describe('to an exchange', () => {
    it('fails by its name, and what is under way beside it is confirmed', async () => {
      const admin = await (await broker.connect()).createChannel();
      await admin.assertExchange('secret.events', 'topic');
      await admin.assertQueue('open');
      const url = new URL(broker.url);
      const user = `${url.username}-limited`;
      const vhost = broker.vhostPath;
      await broker.manage('PUT', `/users/${user}`, { password: 'limited', tags: '' });
      try {
        const permissions = { configure: '', write: '^(amq.default|open)$', read: '.*' };
        await broker.manage('PUT', `/permissions/${vhost}/${user}`, permissions);
        url.username = user;
        url.password = 'limited';
        const { broker: client } = warren(url.href);
        const good = Array.from({ length: 50 }, () => client.send('open', 1));
        const failing = rejection(client.publish('key', 1, { exchange: 'secret.events' }));
        good.push(...Array.from({ length: 50 }, () => client.send('open', 1)));
        const error = await failing;
        expect(error.code).toBe('WARREN_ACCESS_REFUSED');
        expect(error.message).toContain("'secret.events'");
        expect(error.message).not.toContain('limited@');
        expect(await Promise.all(good)).toHaveLength(100);
        await client.send('open', 'next');
        await client.close();
      } finally {
        await broker.manage('DELETE', `/users/${user}`);
      }
    });
  });
});
