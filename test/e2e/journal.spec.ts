// What a journal tells of a chain of messages through two services, with a retry, a dead letter and a call.
import { expect, it } from '@jest/globals';
import { journal, type Delivery, type JourneyStep, type MessageJourney } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { taken, warren } from '../support/warren.js';

/** What tells one step from others, and stays the same in each run. */
function brief(step: JourneyStep): string {
  if (step.what === 'attempt') return `attempt ${step.attempt} ${step.handler} ${step.verdict} ${step.wait}`;
  return `${step.kind} ${step.exchange}/${step.routingKey} ${step.routed}`;
}

const ended = (messages: readonly MessageJourney[]): boolean =>
  messages.every(({ steps }) => steps.every(({ took }) => took !== undefined));

onEachBroker('a journal', (broker) => {
  it('tells the way of a message through two services, and what it caused', async () => {
    const both = journal();
    const shops = journal();
    const shop = warren(broker.url, { service: 'shop', plugins: [both, { ...shops, name: 'of the shop' }] });
    await shop
      .consume('parcels', () => Promise.reject(new TypeError('no address')), {
        retry: { attempts: 2, delays: [20], jitter: false },
      })
      .rpc('price', () => 7)
      .open();
    const billing = warren(broker.url, { service: 'billing', plugins: [both] });
    await billing
      .subscribe(
        'order.made',
        async (_delivery: Delivery) => {
          await billing.broker.request('price', 1);
          await billing.broker.send('parcels', { secret: 'street' });
        },
        { queue: 'bills' },
      )
      .open();

    const { messageId } = await shop.broker.publish('order.made', { secret: 'name' });
    await taken(broker, 'parcels.dead');
    const told = await until(() => {
      const messages = both.of(messageId);
      return messages.length === 3 && ended(messages) && messages;
    }, 'the end of all steps');

    expect(told.map(({ by, depth, steps }) => [by, depth, ...steps.map(brief)])).toEqual([
      ['shop', 0, 'publish events/order.made true', 'attempt 1 on.order.made ack undefined'],
      ['billing', 1, 'request /price true', 'attempt 1 price ack undefined', 'reply /undefined true'],
      [
        'billing',
        1,
        'send /parcels true',
        'attempt 1 parcels retry 20',
        'retry /parcels true',
        'attempt 2 parcels dead-letter undefined',
        'dead-letter /parcels.dead true',
      ],
    ]);
    const [, , parcel] = told;
    expect(parcel).toMatchObject({ causedBy: messageId, correlationId: messageId });
    expect(parcel.steps[3]).toMatchObject({
      reason: 'attempts-exhausted',
      error: { name: 'TypeError', message: 'no address' },
    });
    expect(JSON.stringify(told)).not.toMatch(/street|secret/);

    // One service alone knows what it saw.
    const [order, ...others] = shops.of(messageId);
    expect(order.steps.map(brief)).toEqual(['publish events/order.made true']);
    expect(others.map(({ by, steps }) => [by, brief(steps[0])])).toEqual([
      ['billing', 'attempt 1 price ack undefined'],
      ['billing', 'attempt 1 parcels retry 20'],
    ]);
    expect(both.print(messageId).split('\n')[0]).toBe(
      `message ${messageId} to events with key 'order.made', by shop`,
    );
    expect(shop.broker.status().plugins.journal).toMatchObject({ messages: 3 });
  });
});
