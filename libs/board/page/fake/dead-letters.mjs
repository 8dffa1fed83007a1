// Invented dead letters: of a few errors, in groups, and one whole.

const errors = [
  [
    'PaymentProviderError',
    'Invoices.create',
    'the payment provider answered 503: upstream connect error or disconnect/reset before headers',
    'attempts',
  ],
  ['TypeError', 'Invoices.create', "Cannot read properties of undefined (reading 'vat')", 'attempts'],
  ['PayloadInvalidError', 'Invoices.create', 'lines.0.quantity: must be a positive number', 'invalid'],
];

/** Letters of a queue of dead letters. */
export function deadLetters(queue, length, now) {
  const of = queue.replace(/\.dead$/, '');
  return Array.from({ length }, (_, i) => {
    const byBroker = i % 40 === 39;
    const kind = byBroker ? 3 : i % 9 === 4 ? 1 : i % 9 === 7 ? 2 : 0;
    const [error, handler, errorMessage, reason] = errors[kind] ?? [null, null, null, 'expired'];
    return {
      key: `k${i}`,
      position: i + 1,
      group: `g${kind}`,
      id: `019ac${(i * 7_919).toString(16).padStart(6, '0')}-order`,
      queue: of,
      handler,
      reason,
      byBroker,
      error,
      errorMessage,
      attempts: kind === 2 ? 1 : 4,
      failedAt: now - 7_200_000 + i * 7_000,
      exchange: 'events',
      routingKey: 'order.placed',
      replayed: i % 23 === 0 ? 1 : 0,
      bytes: 212 + (i % 40),
    };
  });
}

export function groupsOf(letters) {
  const groups = new Map();
  for (const letter of letters) {
    const group = groups.get(letter.group) ?? {
      key: letter.group,
      error: letter.error,
      handler: letter.handler,
      reason: letter.reason,
      byBroker: letter.byBroker,
      shape: '{customer: object, id: string, lines: array, total: number}',
      count: 0,
      oldest: letter.failedAt,
      newest: letter.failedAt,
      example: letter.errorMessage,
    };
    groups.set(letter.group, { ...group, count: group.count + 1, newest: letter.failedAt });
  }
  return [...groups.values()].sort((one, other) => other.count - one.count);
}

export const orderOf = (i) => ({
  id: `order-${1_000 + i}`,
  customer: { name: 'Ada Lovelace', country: 'GB' },
  lines: [{ sku: 'TEA-500', quantity: i % 9 === 7 ? -1 : 2, price: 12.5 }],
  total: 25,
});

export function letterAnswer(letter, now) {
  const i = letter.position - 1;
  return {
    at: now,
    unknown: [],
    letter,
    errorStack:
      letter.error &&
      `${letter.error}: ${letter.errorMessage}\n    at Invoices.create (/app/dist/invoices.js:42:19)\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)\n    at async ProviderClient.post (/app/dist/provider.js:118:11)`,
    correlationId: `019ac-${i}`,
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    headers: {
      'x-warren-reason': letter.reason,
      'x-warren-attempt': letter.attempts - 1,
      'x-warren-error': letter.error,
      tenant: 'acme',
      'retry-after': 12,
    },
    properties: {
      messageId: letter.id,
      contentType: 'application/json',
      deliveryMode: 2,
      appId: 'shop',
      timestamp: Math.floor(now / 1_000),
    },
    body: {
      kind: 'json',
      text: JSON.stringify(orderOf(i), null, 2),
      bytes: letter.bytes,
      cut: false,
      redacted: false,
    },
    issues:
      letter.error === 'PayloadInvalidError'
        ? [{ path: 'lines.0.quantity', message: 'must be a positive number' }]
        : [],
    notEditable: null,
  };
}
