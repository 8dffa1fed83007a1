// What happened to a message, as two services tell it together, beside instances that know nothing or answer nonsense.
import { expect, it } from '@jest/globals';
import {
  type BrokerOptions,
  journal,
  type MessageJourney,
  traceMessage,
  type TracedStep,
} from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { taken, warren, type Warren } from '../support/warren.js';

/** Of two messages. */
const ended = (messages: readonly MessageJourney[]): boolean =>
  messages.length === 2 &&
  messages.every(({ steps }) => steps.every((step) => step.took !== undefined)) &&
  messages[1].steps.length === 3;

onEachBroker('tracing a message', (broker) => {
  const member = (service: string, options: BrokerOptions = {}): Warren =>
    warren(broker.url, { service, fleet: true, ...options });

  it('puts together what the journals of all instances know, and says who has none', async () => {
    const all = journal();
    const both = { ...all, name: 'both' };
    const billing = member('t.bill', { plugins: [both, journal()] }).subscribe(
      't.made',
      async () => {
        await billing.broker.send('t.parcels', { secret: 'street' });
      },
      { queue: 't.bills' },
    );
    await billing.open();
    const mail = await member('t.mail', { plugins: [both, journal({ bodies: true })] })
      .consume('t.parcels', (delivery) => setImmediate(() => delivery.reject('no address')), {
        ack: 'manual',
        retry: false,
      })
      .open();
    await member('t.plain').open();
    const odd = await member('t.odd').open();
    odd.broker.fleet.answer('journey', () => ({ journal: 7 }));
    const shop = await member('t.shop', { plugins: [both, journal()] }).open();
    const { messageId } = await shop.broker.publish('t.made', { secret: 'name' });
    await taken(broker, 't.parcels.dead');
    await until(() => ended(all.of(messageId)), 'the end of all steps');
    const { fleet } = warren(broker.url, { service: 'asker' }).broker;
    // On a busy machine some answer after the time.
    const done = await until(async () => {
      const trace = await traceMessage(fleet, messageId, { timeout: 1_000 });
      return trace.complete && trace.instances.length === 5 && trace;
    }, 'all to answer');

    const service = new Map(done.instances.map(({ from }) => [from.id, from.service]));
    const brief = (step: TracedStep): string => {
      const what = step.what === 'sent' ? step.kind : `attempt ${step.service} ${step.verdict}`;
      return `${service.get(step.instance)}: ${what}`;
    };
    expect(done.messages.map(({ depth, steps }) => [depth, ...steps.map(brief)])).toEqual([
      [0, 't.shop: publish', 't.bill: attempt t.bill ack'],
      [1, 't.bill: send', 't.mail: attempt t.mail dead-letter', 't.mail: dead-letter'],
    ]);
    expect(
      done.instances.map(({ from, journal: told, deadQueues }) => [from.service, told, deadQueues]),
    ).toEqual([
      ['t.bill', 'answered', ['t.bills.dead']],
      ['t.mail', 'answered', ['t.parcels.dead']],
      ['t.odd', 'unreadable', []],
      ['t.plain', 'unknown', []],
      ['t.shop', 'answered', []],
    ]);
    expect(done.complete).toBe(true);
    expect(JSON.stringify(done)).not.toMatch(/secret|street/);

    // From the message in the middle, and with what the journal of one of them keeps.
    const { messages } = await until(async () => {
      const trace = await traceMessage(fleet, done.messages[1].id, { bodies: true, timeout: 500 });
      return trace.messages.length > 0 && trace;
    }, 'the journal of the second');
    expect(messages.map(({ body }) => body)).toEqual(['{"secret":"street"}']);
    const one = await until(async () => {
      const trace = await traceMessage(fleet, messageId, { service: 't.shop', timeout: 500 });
      return trace.messages.length > 0 && trace;
    }, 'the journal of one service');
    expect(one.messages.map(({ steps }) => steps.map(brief))).toEqual([['t.shop: publish']]);
    expect(mail.lines.filter((line) => /question/.test(line))).toEqual([]);
  });

  it('puts both sides of an idempotent call together, without its id', async () => {
    const server = member('t.server', { plugins: [journal()] }).rpc('t.pay', () => 'paid', {
      idempotent: { ttl: '1m' },
    });
    await server.open();
    const caller = await member('t.caller', { plugins: [journal()] }).open();
    await caller.broker.request('t.pay', 1, { idempotent: true, messageId: 'pay-7' });
    const { fleet } = caller.broker;
    const { messages } = await until(async () => {
      const trace = await traceMessage(fleet, 'pay-7', { timeout: 300 });
      return trace.messages.length === 1 && trace.messages[0].steps.length === 3 && trace;
    }, 'what both know');
    expect(messages[0].steps.map(({ what }) => what)).toEqual(['sent', 'attempt', 'sent']);
    expect(JSON.stringify(messages)).not.toContain('pay-7');
  });
});
