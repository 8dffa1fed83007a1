// Invented answers of a shop in which something fails, for work on the page and for tests of what is hard to bring about.
import { orderOf } from './dead-letters.mjs';

export const services = ['shop', 'billing', 'mail', 'stock'];
export const handlers = [
  ['shop', 'Orders.place', 'rpc', 'shop.orders', ['orders.place'], 14.2, 0, 12],
  ['shop', 'Orders.cancel', 'rpc', 'shop.orders', ['orders.cancel'], 0.31, 0, 9],
  ['billing', 'Invoices.create', 'subscribe', 'billing.invoices', ['order.placed'], 13.8, 1.9, 48],
  ['billing', 'Payments.settle', 'consume', 'billing.payments', ['payments'], 6.1, 0.02, 210],
  [
    'mail',
    'Mails.confirmation',
    'subscribe',
    'mail.confirmations',
    ['order.placed', 'order.cancelled'],
    13.9,
    0,
    95,
  ],
  ['mail', 'Mails.newsletter', 'consume', 'mail.newsletter', ['newsletter'], 0, 0, 0],
  ['stock', 'Stock.reserve', 'subscribe', 'stock.reservations', ['order.*'], 14, 0.4, 22],
  ['stock', 'Stock.lowLevels', 'subscribe', 'stock.levels', ['stock.#'], 0.04, 0, 5],
];

export const ref = (service, n = 1) => ({
  id: `${service}-${n}`,
  service,
  connection: 'default',
  host: `node-${n}`,
  pid: 4_000 + n,
});

const spread = (p50) => ({ p50, p95: p50 * 2.4, p99: p50 * 4, max: p50 * 9 });

function figures(perSecond, failed, took, now) {
  const wave = (i, level) =>
    Math.max(0, Math.round(5 * level * (1 + 0.3 * Math.sin(i / 7) + 0.15 * Math.sin(i * 2.3))));
  const handled = Array.from({ length: 120 }, (_, i) => wave(i, perSecond));
  return {
    since: now - 9_400_000,
    verdicts: {
      ack: Math.round(perSecond * 9_000),
      drop: 0,
      retry: Math.round(failed * 7_000),
      deadLetter: Math.round(failed * 900),
      requeue: 0,
      open: 0,
    },
    attempts:
      failed > 0
        ? [Math.round(perSecond * 9_000), Math.round(failed * 5_000), Math.round(failed * 2_000)]
        : [Math.round(perSecond * 9_000)],
    lastMinute: {
      perSecond,
      failedPerSecond: failed,
      took: took ? spread(took) : null,
      age: took ? spread(took * 30) : null,
    },
    history: {
      from: now - 600_000,
      step: 5_000,
      handled,
      failed: handled.map((_, i) => (i > 70 ? wave(i, failed) : 0)),
      p95: handled.map((value, i) => (value ? took * (2 + 0.6 * Math.sin(i / 9)) : null)),
    },
    errors:
      failed > 0.1
        ? [
            {
              error: 'PaymentProviderError',
              count: Math.round(failed * 900),
              lastAt: now - 3_000,
              message: 'the payment provider answered 503: upstream connect error',
            },
            {
              error: 'TypeError',
              count: 12,
              lastAt: now - 340_000,
              message: "Cannot read properties of undefined (reading 'vat')",
            },
          ]
        : [],
  };
}

/** Rows of `api/handlers`; `paused` and `settings` by handler. */
export function handlerRows(state, now, many = 0) {
  const rows = handlers.map(([service, id, kind, queue, patterns, perSecond, failed, took]) => ({
    id,
    service,
    kind,
    queue,
    patterns,
    attempts: kind === 'rpc' ? 1 : 4,
    deadQueue: kind === 'rpc' ? null : `${queue}.dead`,
    schema: service === 'shop',
    onBroker: {
      ready: id === 'Payments.settle' ? 1_284 : 0,
      unacked: Math.ceil(perSecond * 0.4),
      consumers: 2,
      type: 'quorum',
      state: 'running',
    },
    everywhere: service === 'billing',
    instances: [1, 2].map((n) => ({
      ...ref(service, n),
      here: service === 'shop' && n === 1,
      ready: !(id === 'Stock.reserve' && n === 2),
      notReadySince: id === 'Stock.reserve' && n === 2 ? now - 45_000 : null,
      lastError:
        id === 'Stock.reserve' && n === 2
          ? "queue 'stock.reservations' in vhost '/' is not available: its leader is down"
          : null,
      inFlight: Math.ceil(perSecond * 0.2),
      control: {
        paused: state.paused.has(id) || id === 'Mails.newsletter',
        pausedEverywhere: service === 'billing' && state.paused.has(id),
        breaker: id === 'Invoices.create' ? 'half-open' : 'closed',
        prefetch: 20,
        concurrency: 10,
        rate: id === 'Mails.newsletter' ? '100/s' : null,
        ...state.settings[id],
      },
      figures: null,
    })),
    figures: id === 'Mails.newsletter' ? null : figures(perSecond, failed, took, now),
  }));
  for (let i = 0; i < many; i++)
    rows.push({ ...rows[i % 8], id: `Generated.handler${i}`, figures: null, instances: [] });
  return rows;
}

export function serviceRows(now) {
  return services.map((service, s) => ({
    service,
    instances: [1, 2].map((n) => ({
      ...ref(service, n),
      version: '0.2.0',
      applicationVersion: `1.${s + 3}.${n}`,
      startedAt: now - 86_400_000 * (s + 1) - 3_600_000 * n,
      here: service === 'shop' && n === 1,
      state: service === 'stock' && n === 2 ? 'missing' : 'running',
      error: null,
      info:
        service === 'stock' && n === 2
          ? null
          : {
              connections: ['publish', 'consume', 'reply'].map((name) => ({
                name: `${service}:${name}`,
                state: 'open',
                blocked: service === 'mail' && name === 'publish',
              })),
              consumers: handlers
                .filter(([of]) => of === service)
                .map(([, , , queue]) => ({ queue, ready: true, inFlight: 3 })),
              handlers: handlers.filter(([of]) => of === service).map(([, id]) => id),
              publishing: { unconfirmed: s, waiting: service === 'mail' ? 118 : 0 },
              waiting: s * 4,
              pendingCalls: service === 'shop' ? 3 : 0,
              plugins: ['journal', 'metrics'],
            },
    })),
  }));
}

/** `since`: when the first of them began to wait; each comes again. `ran`: keys of those that were run. */
export function waitingRows(now, since, ran = new Set(), length = 60) {
  const round = length * 1_700;
  const dueOf = (i) => {
    const first = since + 800 + i * 1_700;
    return first + Math.max(0, Math.ceil((now - first) / round)) * round;
  };
  return {
    messages: Array.from({ length }, (_, i) => ({
      key: i % 3 ? null : `w${i}`,
      id: `019ac${i}-wait`,
      kind: i % 3 ? 'retry' : 'delay',
      queue: i % 3 ? 'billing.invoices.retry.5s' : 'warren.wait.shop.60s',
      exchange: i % 3 ? '' : 'events',
      routingKey: i % 3 ? 'billing.invoices' : 'order.reminder',
      due: dueOf(i),
      attempt: i % 3 ? 2 + (i % 2) : null,
      bytes: 240,
      instance: ref(i % 3 ? 'billing' : 'shop'),
    }))
      .filter(({ key }) => !ran.has(key))
      .sort((one, other) => one.due - other.due),
    queues: [
      { queue: 'billing.invoices.retry.1s', service: 'billing', kind: 'retry', step: 1_000, messages: 2 },
      { queue: 'billing.invoices.retry.5s', service: 'billing', kind: 'retry', step: 5_000, messages: 38 },
      { queue: 'billing.invoices.retry.30s', service: 'billing', kind: 'retry', step: 30_000, messages: 112 },
      { queue: 'warren.wait.shop.60s', service: 'shop', kind: 'delay', step: 60_000, messages: null },
    ],
  };
}

export function callRows(now) {
  return Array.from({ length: 7 }, (_, i) => ({
    id: i === 2 ? null : `019ac-call-${i}`,
    kind: ['request', 'request', 'request', 'stream', 'gather', 'request', 'request'][i],
    state: i === 6 ? 'unsent' : 'sent',
    exchange: 'calls',
    pattern: [
      'payments.authorise',
      'stock.available',
      'payments.settle',
      'orders.export',
      'prices.all',
      'stock.available',
      'mail.send',
    ][i],
    from: ref(i % 2 ? 'billing' : 'shop'),
    to: i === 4 ? [] : [['billing', 'stock', 'billing', 'shop', 'shop', 'stock', 'mail'][i]],
    since: now - 28_000 + i * 3_900,
    deadline: i === 3 ? null : now - 28_000 + i * 3_900 + 30_000,
  }));
}

export const contracts = () =>
  handlers.map(([, handler, kind, queue, [key]]) => ({
    handler,
    kind: kind === 'rpc' ? 'rpc' : kind === 'subscribe' ? 'event' : 'queue',
    exchange: kind === 'rpc' ? 'calls' : kind === 'subscribe' ? 'events' : '',
    key,
    queue,
    schema:
      handler.startsWith('Orders') || handler.startsWith('Invoices')
        ? {
            type: 'object',
            required: ['id', 'total'],
            properties: {
              id: { type: 'string', description: 'Number of the order' },
              total: { type: 'number', minimum: 0 },
              express: { type: 'boolean' },
              country: { type: 'string', enum: ['GB', 'DE', 'FR'] },
              lines: {
                type: 'array',
                items: {
                  type: 'object',
                  properties: { sku: { type: 'string' }, quantity: { type: 'integer', minimum: 1 } },
                },
              },
            },
          }
        : null,
  }));

export function tailMessage(i, now) {
  return {
    at: now,
    exchange: 'events',
    routingKey: ['order.placed', 'order.cancelled', 'stock.reserved', 'stock.low'][i % 4],
    id: `019ac-tail-${i}`,
    correlationId: null,
    by: services[i % 4],
    contentType: 'application/json',
    headers: { tenant: 'acme' },
    body: {
      kind: 'json',
      text: JSON.stringify(orderOf(i), null, 2),
      bytes: 180,
      cut: false,
      redacted: false,
    },
  };
}

/** How the server audits what it was asked. */
export const auditRow = ({ act, request, at }) => ({
  at,
  who: 'ada',
  act,
  target: request.queue ?? request.handler ?? request.pattern ?? request.exchange ?? request.job ?? '',
  result: act === 'dead.replay' || act === 'dead.drop' ? 'started' : 'done',
  text: '',
  instance: ref('shop'),
});

/** What was done before anybody opened the page. */
export const historyRows = (now) =>
  [
    [4, 'grace', 'publish', 'events order.placed', 'done', 'message 019ac-7f21, routed'],
    [9, 'ada', 'dead.replay', 'billing.invoices.dead', 'done', 'job 7c41: done, 102 messages'],
    [10, 'ada', 'job.continue', '7c41', 'done', 'job 7c41: all of TypeError in Invoices.create'],
    [
      14,
      'ada',
      'dead.replay',
      'billing.invoices.dead',
      'started',
      'job 7c41: all of TypeError in Invoices.create',
    ],
    [31, 'linus', 'handler.pause', '', 'refused', 'the act handler.pause needs the right control'],
    [
      44,
      'grace',
      'call',
      'payments.authorise',
      'failed',
      'no answer within 10000 ms: the handler may be slow or away',
    ],
    [52, 'grace', 'handler.rate', 'Orders.cancel', 'done', 'rate: 100/s'],
    [
      53,
      'grace',
      'handler.pause',
      'mail Mails.newsletter',
      'done',
      'paused: true in all instances: 2 did it, 0 failed, 0 did not answer',
    ],
    [95, 'ada', 'dead.edit', 'billing.invoices.dead k7', 'done', 'job 7c40: 1 message'],
    [
      180,
      null,
      'dead.drop',
      'stock.reservations.dead',
      'done',
      'job 7c3f: done, 37 messages, saved in dropped-7c3f.ndjson',
    ],
  ].map(([minutes, who, act, target, result, text]) => ({
    at: now - minutes * 60_000,
    who,
    act,
    target,
    result,
    text,
    instance: ref('shop'),
  }));
