// What a user may not do, operation by operation: whoever tries it is told at once which permission is missing where, the
// log says it once, and what is under way beside it is confirmed, sent again once at most for each channel that was lost.

import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { count, logged, rejection, warren, type Warren } from '../support/warren.js';

onEachBroker('access that is refused', (broker) => {
  const user = `warren-refused-${randomBytes(6).toString('hex')}`;
  const vhost = (): string => broker.vhostPath;
  const url = (): string => {
    const target = new URL(broker.url);
    [target.username, target.password] = [user, user];
    return target.href;
  };
  const allow = (some: object): Promise<unknown> =>
    broker.manage('PUT', `/permissions/${vhost()}/${user}`, {
      ...{ configure: '.*', write: '.*', read: '.*' },
      ...some,
    });
  const noDefault = { write: '^(?!amq\\.default$)' };

  beforeAll(async () => {
    await broker.manage('PUT', `/users/${user}`, { password: user, tags: '' });
    const channel = await (await broker.connect()).createChannel();
    await channel.assertExchange('open.events', 'topic');
    await channel.assertExchange('secret.events', 'topic');
    await channel.assertQueue('refused.open');
    await channel.bindQueue('refused.open', 'open.events', '#');
  });
  beforeEach(async () => {
    await broker.manage('DELETE', `/topic-permissions/${vhost()}/${user}`);
    await allow({});
    const channel = await (await broker.connect()).createChannel();
    await channel.purgeQueue('refused.open');
  });
  afterAll(() => broker.manage('DELETE', `/users/${user}`));

  /** What an operation says that is refused while `NEIGHBOURS` publishes are under way on each side of it. */
  const NEIGHBOURS = 100;
  const beside = async (
    rabbit: Warren,
    refused: () => Promise<unknown>,
  ): Promise<Error & Record<string, unknown>> => {
    await rabbit.broker.publish('warm', 1, { exchange: 'open.events' });
    const publish = (): Promise<unknown>[] =>
      Array.from({ length: NEIGHBOURS }, (_, n) =>
        rabbit.broker.publish('beside', n, { exchange: 'open.events' }),
      );
    const before = publish();
    const error = rejection(refused());
    const after = publish();
    await Promise.all([...before, ...after]);
    return error;
  };
  const refusals = ({ lines }: Warren, resource: string): string[] =>
    lines.filter((line) => line.includes('AccessRefusedError') && line.includes(resource));

  it.each<[string, object, string, (rabbit: Warren) => Promise<unknown>]>([
    ['send', noDefault, "'amq.default'", ({ broker }) => broker.send('refused.open', 1)],
    [
      'delayed send',
      noDefault,
      "'amq.default'",
      ({ broker }) =>
        broker.send('refused.open', 1, { delay: 10 }).then(() => broker.send('refused.open', 1)),
    ],
    [
      'publish',
      { write: '^open' },
      "'secret.events'",
      ({ broker }) => broker.publish('k', 1, { exchange: 'secret.events' }),
    ],
    [
      'delayed publish',
      { configure: '^$' },
      "exchange 'test.delay.to.open.events'",
      ({ broker }) => broker.publish('k', 1, { exchange: 'open.events', delay: 10 }),
    ],
    ['request to a queue', noDefault, "'amq.default'", ({ broker }) => broker.request('refused.open', 1)],
    [
      'request to an exchange',
      { write: '^open' },
      "'secret.events'",
      ({ broker }) => broker.request('k', 1, { exchange: 'secret.events' }),
    ],
  ])('%s: the error names what is missing, neighbours do not suffer', async (_, some, resource, refused) => {
    await allow(some);
    const rabbit = await warren(url()).open();
    const error = await beside(rabbit, () => refused(rabbit));
    expect(error.code).toBe('WARREN_ACCESS_REFUSED');
    expect(error.message).toContain(resource);
    expect(error.permission).toBe('configure' in some ? 'configure' : 'write');
    expect(error.message).not.toContain(`${user}@`);
    const { counters } = rabbit.broker.status();
    expect(counters.resent).toBeLessThanOrEqual(2 * NEIGHBOURS);
    // The broker is not asked again at once, so the next one costs nobody a channel.
    await beside(rabbit, () => refused(rabbit));
    expect(rabbit.broker.status().counters.resent).toBe(counters.resent);
    expect(refusals(rabbit, resource)).toHaveLength(1);
  });

  it('a thousand refused sends among a thousand others: none of these is lost or sent more than twice', async () => {
    await allow(noDefault);
    const rabbit = await warren(url()).open();
    const good: Promise<unknown>[] = [];
    const bad: Promise<Error>[] = [];
    for (let n = 0; n < 1_000; n++) {
      good.push(rabbit.broker.publish('beside', n, { exchange: 'open.events' }));
      bad.push(rejection(rabbit.broker.send('refused.open', n)));
    }
    await Promise.all(good);
    const codes = (await Promise.all(bad)).map((error) => (error as { code?: string }).code);
    expect(new Set(codes)).toEqual(new Set(['WARREN_ACCESS_REFUSED']));
    expect(rabbit.broker.status().counters.resent).toBeLessThanOrEqual(1_000);
    expect(await count(broker, 'refused.open')).toBeLessThanOrEqual(2_000);
    expect(refusals(rabbit, 'amq.default')).toHaveLength(1);
  });

  it('keys that a topic permission refuses, many of them: each is named, the others go, few are sent again', async () => {
    await broker.manage('PUT', `/topic-permissions/${vhost()}/${user}`, {
      ...{ exchange: 'open.events', write: '^good', read: '.*' },
    });
    const rabbit = await warren(url()).open();
    await rabbit.broker.publish('good', 1, { exchange: 'open.events' });
    const good: Promise<unknown>[] = [];
    const bad: Promise<Error>[] = [];
    for (let n = 0; n < 400; n++) {
      good.push(rabbit.broker.publish(`good.${n}`, n, { exchange: 'open.events' }));
      if (n % 100 === 50) {
        bad.push(rejection(rabbit.broker.publish(`bad.${n}`, n, { exchange: 'open.events' })));
      }
    }
    await Promise.all(good);
    const messages = (await Promise.all(bad)).map(({ message }) => message);
    expect(messages).toEqual(
      [50, 150, 250, 350].map((n) => expect.stringMatching(`key 'bad.${n}'.*set_topic_permissions`)),
    );
    // All that was in doubt once, and what was tried together with a suspect.
    expect(rabbit.broker.status().counters.resent).toBeLessThanOrEqual(4 * 400);
  });

  it('a dead letter that may not be sent stays in its queue, is told once, and harms no neighbour', async () => {
    await allow(noDefault);
    const channel = await (await broker.connect()).createChannel();
    const rabbit = await warren(url())
      .consume('refused.dead', () => Promise.reject(new Error('no')), { retry: false })
      .open();
    for (let n = 0; n < 20; n++) channel.sendToQueue('refused.dead', Buffer.from(`${n}`));
    await logged(rabbit, 'could not be forwarded');
    const publishes = Array.from({ length: 200 }, (_, n) =>
      rabbit.broker.publish('beside', n, { exchange: 'open.events' }),
    );
    await Promise.all(publishes);
    expect(rabbit.broker.status().counters.resent).toBeLessThanOrEqual(200);
    expect(refusals(rabbit, 'amq.default').filter((line) => !line.includes('forwarded'))).toHaveLength(1);
    await rabbit.broker.close();
    await until(async () => (await count(broker, 'refused.dead')) === 20, 'the messages to be back');
  });

  it('a retry that may not be sent stays in its queue, and the log names the exchange', async () => {
    const first = await warren(broker.url)
      .consume('refused.retry', () => 1)
      .open();
    await first.broker.close();
    await allow({ write: '^(?!test\\.retry\\.)' });
    const rabbit = await warren(url())
      .consume('refused.retry', () => Promise.reject(new Error('no')), {
        retry: { attempts: 3, delays: '50ms', jitter: false },
      })
      .open();
    await rabbit.broker.send('refused.retry', 1);
    const line = await logged(rabbit, 'could not be forwarded');
    expect(line).toContain('test.retry.50');
    expect(line).toContain('write');
    await rabbit.broker.close();
    await until(async () => (await count(broker, 'refused.retry')) === 1, 'the message to be back');
  });

  it('a server that may not answer says so once, and its other work goes on', async () => {
    await allow(noDefault);
    const server = await warren(url())
      .rpc('refused.answer', ({ payload }) => payload)
      .open();
    const caller = await warren(broker.url).open();
    const calls = Array.from({ length: 30 }, (_, n) =>
      rejection(caller.broker.request('refused.answer', n, { timeout: '2s' })),
    );
    await logged(server, 'amq.default');
    for (const { code } of await Promise.all(calls)) expect(code).toBe('WARREN_RPC_TIMEOUT');
    expect(server.lines.filter((line) => line.includes('amq.default'))).toHaveLength(1);
    expect(server.broker.status().counters.resent).toBeLessThanOrEqual(30);
    await server.broker.publish('k', 1, { exchange: 'open.events' });
  });

  it('calls beside one that was refused a moment ago are not touched by the next one', async () => {
    await warren(broker.url)
      .rpc('refused.server', ({ payload }) => payload)
      .open();
    await allow({ write: '^(?!secret)' });
    const { broker: client } = await warren(url()).open();
    expect(await client.request('refused.server', 1)).toBe(1);
    expect((await rejection(client.request('k', 1, { exchange: 'secret.events' }))).code).toBe(
      'WARREN_ACCESS_REFUSED',
    );
    const refused = rejection(client.request('k', 1, { exchange: 'secret.events' }));
    const calls = Array.from({ length: 50 }, (_, n) => client.request('refused.server', n));
    expect((await refused).code).toBe('WARREN_ACCESS_REFUSED');
    expect(await Promise.all(calls)).toHaveLength(50);
  });
});
