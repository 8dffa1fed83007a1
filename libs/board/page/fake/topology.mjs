// An invented topology, and the journey of a message through it.
import { handlers, ref, services } from './data.mjs';

/** `many` further queues, each with a handler. */
export function topology(many = 0) {
  const queues = [...new Set(handlers.map(([, , , queue]) => queue))];
  const node = (name, purpose, more = {}) => ({
    name,
    purpose,
    declaredBy: [],
    exists: true,
    drift: [],
    orphan: false,
    durable: true,
    arguments: {},
    ...more,
  });
  return {
    compared: true,
    leftOut: 0,
    exchanges: [
      node('events', 'work', { type: 'topic', declaredBy: ['RabbitModule'] }),
      node('calls', 'work', { type: 'direct', declaredBy: ['RabbitModule'] }),
      node('legacy.orders', 'other', { type: 'fanout', orphan: true }),
      node('warren.control', 'internal', { type: 'fanout' }),
    ],
    queues: [
      ...queues.map((queue) =>
        node(queue, 'work', {
          type: 'quorum',
          declaredBy: handlers.filter(([, , , of]) => of === queue).map(([, id]) => id),
          handlers: handlers.filter(([, , , of]) => of === queue).map(([service, id]) => `${service} ${id}`),
          messages: queue === 'billing.payments' ? 1_284 : 0,
          consumers: 2,
          drift:
            queue === 'mail.newsletter'
              ? [{ field: 'x-queue-type', declared: 'quorum', actual: 'classic' }]
              : [],
          exists: queue !== 'stock.levels',
        }),
      ),
      ...Array.from({ length: many }, (_, i) =>
        node(`tenant-${i}.orders`, 'work', {
          type: 'quorum',
          declaredBy: [`Tenants.orders${i}`],
          handlers: [`shop Tenants.orders${i}`],
          messages: i % 7,
          consumers: 1,
        }),
      ),
      ...queues
        .slice(1, 4)
        .map((queue) =>
          node(`${queue}.dead`, 'dead', { type: 'classic', handlers: [], messages: 940, consumers: 0 }),
        ),
      node('billing.invoices.retry.5s', 'wait', {
        type: 'classic',
        handlers: [],
        messages: 38,
        consumers: 0,
      }),
      node('old.reports', 'other', {
        type: 'classic',
        handlers: [],
        messages: 12,
        consumers: 0,
        orphan: true,
      }),
    ],
    bindings: [
      ...handlers
        .filter(([, , kind]) => kind !== 'consume')
        .flatMap(([, , kind, queue, keys]) =>
          keys.map((key) => ({
            source: kind === 'rpc' ? 'calls' : 'events',
            destination: queue,
            destinationKind: 'queue',
            key,
            arguments: {},
            declared: true,
            exists: queue !== 'stock.levels',
            orphan: false,
          })),
        ),
      ...Array.from({ length: many }, (_, i) => ({
        source: 'events',
        destination: `tenant-${i}.orders`,
        destinationKind: 'queue',
        key: `tenant-${i}.order.#`,
        arguments: {},
        declared: true,
        exists: true,
        orphan: false,
      })),
      {
        source: 'legacy.orders',
        destination: 'old.reports',
        destinationKind: 'queue',
        key: '',
        arguments: {},
        declared: false,
        exists: true,
        orphan: true,
      },
      {
        source: 'events',
        destination: 'legacy.orders',
        destinationKind: 'exchange',
        key: 'order.#',
        arguments: {},
        declared: false,
        exists: true,
        orphan: true,
      },
    ],
  };
}

export function journey(id, now) {
  const at = (ms) => now - 20_000 + ms;
  const sent = (ms, kind, exchange, routingKey, more = {}) => ({
    what: 'sent',
    at: at(ms),
    instance: 'shop-1',
    took: 3,
    error: null,
    reason: null,
    sent: { kind, exchange, routingKey, bytes: 240, routed: true },
    attempt: null,
    ...more,
  });
  const tries = (ms, handler, service, queue, number, verdict, more = {}) => ({
    what: 'attempt',
    at: at(ms),
    instance: `${service}-1`,
    took: 41,
    error: null,
    reason: null,
    sent: null,
    attempt: { handler, service, queue, number, verdict, wait: verdict === 'retry' ? 5_000 : null },
    ...more,
  });
  const bad = { error: { name: 'PaymentProviderError', message: 'the payment provider answered 503' } };
  const message = (name, depth, by, exchange, routingKey, steps, causedBy = null) => ({
    id: name,
    correlationId: id,
    causedBy,
    depth,
    by,
    exchange,
    routingKey,
    steps,
    leftOut: 0,
  });
  return {
    id,
    leftOut: 0,
    letters: [],
    messages: [
      message(id, 0, 'web', 'calls', 'orders.place', [
        sent(0, 'request', 'calls', 'orders.place'),
        tries(4, 'Orders.place', 'shop', 'shop.orders', 1, 'ack'),
      ]),
      message(
        `${id}-event`,
        1,
        'shop',
        'events',
        'order.placed',
        [
          sent(31, 'publish', 'events', 'order.placed'),
          tries(36, 'Mails.confirmation', 'mail', 'mail.confirmations', 1, 'ack', { took: 95 }),
          tries(37, 'Stock.reserve', 'stock', 'stock.reservations', 1, 'ack', { took: 22 }),
          tries(38, 'Invoices.create', 'billing', 'billing.invoices', 1, 'retry', bad),
          tries(5_090, 'Invoices.create', 'billing', 'billing.invoices', 2, 'dead-letter', bad),
          sent(5_140, 'dead-letter', '', 'billing.invoices.dead', {
            reason: 'attempts',
            instance: 'billing-1',
          }),
        ],
        id,
      ),
      message(
        `${id}-stock`,
        2,
        'stock',
        'events',
        'stock.reserved',
        [sent(58, 'publish', 'events', 'stock.reserved', { instance: 'stock-1' })],
        `${id}-event`,
      ),
    ],
    instances: [
      ...services.map((service) => ({
        ...ref(service),
        journal: service === 'mail' ? 'unknown' : 'answered',
      })),
    ],
  };
}
