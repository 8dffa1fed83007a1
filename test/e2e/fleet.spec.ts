// Questions to running instances: who answers what, what a stranger can do, and what is left when connections are lost.
import { randomUUID } from 'node:crypto';
import { expect, it } from '@jest/globals';
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import type { BrokerOptions, FleetAnswers, FleetInfo } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { collector, until } from '../support/events.js';
import { logged, rejection, warren, type Warren } from '../support/warren.js';

const EXCHANGE = 'warren.control';

onEachBroker('the fleet', (broker) => {
  // A service of its own for each test: instances of another one may not have left yet.
  const member = (service: string, options: BrokerOptions = {}): Promise<Warren> =>
    warren(broker.url, { service, fleet: true, ...options }).open();
  const services = ({ answers }: FleetAnswers): string[] => answers.map(({ from }) => from.service);

  it('answers who it is and what it runs, all or one service, those that have the option', async () => {
    const shop = await warren(broker.url, { service: 'f.shop', fleet: { version: '7.1.0' } })
      .consume('f.orders', () => undefined)
      .rpc('f.price', () => 1)
      .open();
    await member('f.mail');
    await warren(broker.url, { service: 'f.silent' })
      .consume('f.quiet', () => undefined)
      .open();
    const { fleet } = warren(broker.url, { service: 'asker' }).broker;

    const all = await fleet.ask('info', undefined, { expect: 2, timeout: '30s' });
    expect(services(all)).toEqual(['f.mail', 'f.shop']);
    expect(all).toMatchObject({ complete: true, missing: [], unreadable: 0 });
    const one = await fleet.ask<FleetInfo>('info', undefined, {
      service: 'f.shop',
      expect: 1,
      timeout: '30s',
    });
    expect(one.answers).toEqual([{ from: shop.broker.fleet.instance, value: expect.anything() }]);
    expect(shop.broker.fleet.instance).toMatchObject({ applicationVersion: '7.1.0', pid: process.pid });
    expect(one.answers[0].value).toMatchObject({
      handlers: [
        { id: 'f.orders', kind: 'consume', queue: 'f.orders', deadQueue: 'f.orders.dead' },
        { id: 'f.price', kind: 'rpc', queue: 'f.price' },
      ],
      consumers: [
        { queue: 'f.orders', ready: true, inFlight: 0 },
        { queue: 'f.price', ready: true, inFlight: 0 },
      ],
      closing: false,
      plugins: [],
    });
    expect(JSON.stringify(one)).not.toContain(new URL(broker.url).password);
  });

  it('says that a kind is unknown, and of a handler that fails no more than that', async () => {
    const { broker: own, lines } = await member('f.fails');
    own.fleet.answer('fails', () => Promise.reject(new TypeError('secret')));
    const removed = own.fleet.answer('sum', (given) => (given as number[]).reduce((a, b) => a + b));
    const ask = async (kind: string, payload?: unknown): Promise<unknown> => {
      const { answers } = await own.fleet.ask(kind, payload, { service: 'f.fails', expect: 1 });
      return answers[0].error?.code ?? answers[0].value;
    };
    expect(await ask('sum', [1, 2])).toBe(3);
    expect(await ask('fails')).toBe('failed');
    await until(() => lines.some((line) => /'fails' failed: .*secret/.test(line)), 'the line');
    removed();
    expect(await ask('sum', [1])).toBe('unknown');
  });

  it('is no traffic of the application: no plugin, event or counter sees it', async () => {
    const seen: string[] = [];
    const plugin = { name: 'seer', publish: () => (seen.push('publish'), fail), delivery: () => fail };
    const own = await member('f.unseen', { plugins: [plugin] });
    const before = own.broker.status().counters;
    own.broker.fleet.answer('state', () => own.broker.status().pendingCalls);
    const { answers } = await own.broker.fleet.ask('state', 1, { service: 'f.unseen', expect: 1 });
    expect(answers[0].value).toBe(0);
    expect(own.broker.status()).toMatchObject({ counters: before, pendingCalls: 0, consumers: [] });
    expect(seen).toEqual([]);

    function fail(): never {
      throw new Error('a plugin saw a question');
    }
  });

  it('is empty where nobody has the option, and says who is gone', async () => {
    const { fleet } = (await warren(broker.url).open()).broker;
    const nobody = await fleet.ask('info', undefined, { service: 'f.nobody', timeout: '30s' });
    expect(nobody).toEqual({ answers: [], complete: true, missing: [], unreadable: 0 });
    const both = [await member('f.gone'), await member('f.gone')];
    await fleet.ask('info', undefined, { service: 'f.gone', expect: 2, timeout: '30s' });
    await both[1].broker.close();
    const left = await until(async () => {
      const told = await fleet.ask('info', undefined, { service: 'f.gone', timeout: 500 });
      return told.answers.length > 0 && told;
    }, 'the one that is left');
    expect(left.answers.map(({ from }) => from)).toEqual([both[0].broker.fleet.instance]);
    expect(left).toMatchObject({ complete: false, missing: [both[1].broker.fleet.instance] });
    const { id } = both[0].broker.fleet.instance;
    expect((await fleet.ask('info', 1, { instance: id, timeout: '30s' })).answers).toHaveLength(1);
  });

  it('answers again after the connection was lost, and after its exchange was deleted', async () => {
    const own = await member('f.back', { watchdog: '200ms' });
    const answered = (): Promise<boolean> =>
      own.broker.fleet.ask('info', 1, { service: 'f.back', expect: 1, timeout: 500 }).then(
        ({ answers }) => answers.length === 1,
        () => false,
      );
    await until(answered, 'an answer');
    await broker.closeConnections();
    await until(answered, 'an answer after the loss');
    const channel = await (await broker.connect()).createChannel();
    await channel.deleteExchange(EXCHANGE);
    await until(answered, 'an answer after the exchange was deleted');
  });

  it('bears strangers: a question of 1 MB, no JSON, no reply-to; answers that are none or too large', async () => {
    const own = await member('f.calm');
    const other = await member('f.calm');
    const channel = await (await broker.connect()).createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const got = collector<ConsumeMessage>();
    await channel.consume(queue, (message) => message && got.push(message), { noAck: true });
    const publish = (content: string, replyTo?: string): boolean =>
      channel.publish(EXCHANGE, own.broker.fleet.instance.id, Buffer.from(content), {
        ...{ correlationId: randomUUID(), replyTo },
      });
    publish('{"kind":"info"}');
    publish(JSON.stringify({ kind: 'info', payload: 'x'.repeat(1_000_000) }), replyQueue(queue));
    publish('rubbish', replyQueue(queue));
    for (const message of await got.take(2)) {
      expect(JSON.parse(message.content.toString())).toMatchObject({ error: { code: 'refused' } });
    }

    // What is no answer comes first, and does not end the question for those who answer after it.
    const rubbish = await answering(await (await broker.connect()).createConfirmChannel(), 'f.calm');
    for (const { broker: each } of [own, other]) each.fleet.answer('late', () => rubbish.sent);
    const asked = own.broker.fleet.ask('late', 1, { service: 'f.calm', expect: 2, timeout: '30s' });
    const { answers, complete, unreadable } = await asked;
    expect(answers.map(({ from }) => from.id).sort()).toEqual(
      [own, other].map((each) => each.broker.fleet.instance.id).sort(),
    );
    expect({ complete, unreadable }).toEqual({ complete: false, unreadable: 2 });
  });

  /** RabbitMQ names it `amq.gen-...`, which is where answers may go. */
  const replyQueue = (queue: string): string => {
    expect(queue).toMatch(/^amq\.gen-/);
    return queue;
  };

  it('does without it, and says so, when the user may not use the exchange', async () => {
    const user = `warren-fleet-${randomUUID().slice(0, 8)}`;
    await broker.manage('PUT', `/users/${user}`, { password: user, tags: '' });
    const allowed = { configure: '^f\\.limited', write: '.*', read: '^f\\.limited' };
    await broker.manage('PUT', `/permissions/${broker.vhostPath}/${user}`, allowed);
    const url = new URL(broker.url);
    [url.username, url.password] = [user, user];
    const limited = await warren(url.href, { service: 'f.limited', fleet: true }).open();
    await logged(limited, 'cannot be asked over warren.control');
    await broker.manage('PUT', `/permissions/${broker.vhostPath}/${user}`, { ...allowed, write: '^$' });
    const refused = await rejection(limited.broker.fleet.ask('info', 1, { timeout: '30s' }));
    expect(refused.code).toBe('WARREN_ACCESS_REFUSED');
    expect(refused.message).toContain("exchange 'warren.control' (grant the user the write permission on it");
    await broker.manage('DELETE', `/users/${user}`);
  });

  it('questions that take long do not keep others waiting', async () => {
    const { broker: own } = await member('f.slow');
    const ends: (() => void)[] = [];
    own.fleet.answer('slow', () => new Promise<null>((resolve) => ends.push(() => resolve(null))));
    const ask = (kind: string): Promise<FleetAnswers> =>
      own.fleet.ask(kind, undefined, { service: 'f.slow', expect: 1, timeout: '30s' });
    const all = Array.from({ length: 20 }, () => ask('slow'));
    await until(() => ends.length === 20, 'all questions to be heard', 10_000);
    expect((await ask('info')).complete).toBe(true);
    for (const end of ends) end();
    for (const { answers } of await Promise.all(all)) expect(answers).toHaveLength(1);
  });
});

/** A stranger that answers a question to a service, twice, with what is no answer. Resolves to when both have arrived. */
async function answering(
  channel: ConfirmChannel,
  service: string,
): Promise<{ readonly sent: Promise<boolean> }> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, EXCHANGE, service);
  let arrived: (there: boolean) => void;
  const sent = new Promise<boolean>((resolve) => (arrived = resolve));
  await channel.consume(
    queue,
    (message) => {
      const { correlationId, replyTo } = message?.properties as { correlationId: string; replyTo: string };
      const reply = (content: string, run: string): boolean =>
        channel.sendToQueue(replyTo, Buffer.from(content), {
          ...{ correlationId, headers: { 'x-warren-run': run } },
        });
      reply('x'.repeat(300_000), 'two');
      reply('{"from":{"id":"x"},"value":1}', 'one');
      void channel.waitForConfirms().then(() => arrived(true));
    },
    { noAck: true },
  );
  return { sent };
}
