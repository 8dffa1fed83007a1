// The alert rules of the package: when a person has to look.

/**
 * @typedef {import('./metric-queries.mjs').Query} Query
 * @typedef {[alert: string, expr: string, wait: string, severity: 'critical' | 'warning', summary: string]} Alert
 */

/** @param {Query} query */
function alerts(query) {
  const all = [...stateAlerts(query), ...handlerAlerts(query), ...sendingAlerts(query)];
  return all.map(([alert, expr, wait, severity, summary]) => ({ alert, expr, wait, severity, summary }));
}

/** @param {string} over */
const of = (over) => ({ over });

/** @param {Query} query @returns {Alert[]} */
function stateAlerts({ increase, gauge }) {
  return [
    [
      'WarrenConnectionDown',
      `${gauge('connectionUp', 'min', ['job', 'instance', 'connection', 'role'])} == 0`,
      '2m',
      'critical',
      '{{ $labels.job }} has no connection to RabbitMQ ({{ $labels.connection }}, {{ $labels.role }})',
    ],
    [
      'WarrenConnectionBlocked',
      `${gauge('connectionBlocked', 'max', ['job', 'instance', 'connection'])} == 1`,
      '1m',
      'critical',
      'RabbitMQ accepts no messages of {{ $labels.job }}: a memory or disk alarm',
    ],
    [
      'WarrenConsumerNotReady',
      `${gauge('consumerReady', 'min', ['job', 'instance', 'queue'])} == 0`,
      '2m',
      'critical',
      '{{ $labels.job }} does not consume {{ $labels.queue }}',
    ],
    [
      'WarrenPublishBufferFills',
      `${gauge('bufferUsage', 'max', ['job', 'instance', 'connection'])} > 0.8`,
      '1m',
      'critical',
      'The publish buffer of {{ $labels.job }} is almost full',
    ],
    [
      'WarrenReconnects',
      `${increase('reconnects', ['job', 'instance'], of('15m'))} > 3`,
      '0m',
      'warning',
      '{{ $labels.job }} loses its connection again and again',
    ],
  ];
}

/** @param {Query} query @returns {Alert[]} */
function handlerAlerts({ rate, increase, quantile }) {
  const failed = ['verdict=~"retry|dead-letter"'];
  return [
    [
      'WarrenDeadLetters',
      `${increase('deadLetters', ['job', 'queue', 'handler', 'reason'], of('10m'))} > 0`,
      '0m',
      'warning',
      '{{ $labels.handler }} dead-lettered messages of {{ $labels.queue }} ({{ $labels.reason }})',
    ],
    [
      'WarrenHandlerFails',
      `${rate('verdicts', ['job', 'handler'], { where: failed, over: '10m' })} / ${rate('verdicts', ['job', 'handler'], of('10m'))} > 0.1`,
      '10m',
      'warning',
      'More than a tenth of the attempts of {{ $labels.handler }} fail',
    ],
    [
      'WarrenDeliveryLag',
      `${quantile(0.95, 'lag', ['job', 'queue'], of('10m'))} > 60`,
      '10m',
      'warning',
      'Messages of {{ $labels.queue }} wait for more than a minute',
    ],
  ];
}

/** @param {Query} query @returns {Alert[]} */
function sendingAlerts({ rate, increase }) {
  const lost = ['outcome!~"replied|remote-error"'];
  return [
    [
      'WarrenPublishFails',
      `${rate('sentMessages', ['job', 'messaging_destination_name', 'error_type'], { where: ['error_type!=""'], over: '5m' })} > 0`,
      '5m',
      'warning',
      'Publishes of {{ $labels.job }} to {{ $labels.messaging_destination_name }} fail ({{ $labels.error_type }})',
    ],
    [
      'WarrenForwardFails',
      `${increase('forwardFailures', ['job'], of('10m'))} > 0`,
      '0m',
      'warning',
      'Retries or dead letters of {{ $labels.job }} could not be forwarded',
    ],
    [
      'WarrenCallsFail',
      `${rate('callDuration', ['job', 'call'], { where: lost, over: '5m', part: '_count' })} / ${rate('callDuration', ['job', 'call'], { over: '5m', part: '_count' })} > 0.05`,
      '5m',
      'warning',
      'More than one of twenty calls of {{ $labels.job }} gets no reply',
    ],
  ];
}

/**
 * The rules as Prometheus reads them.
 *
 * @param {Query} query
 */
export function alertsPage(query) {
  const texts = alerts(query).map(
    ({ alert, expr, wait, severity, summary }) => `      - alert: ${alert}
        expr: |
          ${expr}
        for: ${wait}
        labels:
          severity: ${severity}
        annotations:
          summary: |
            ${summary}
`,
  );
  return `groups:\n  - name: warren\n    rules:\n${texts.join('\n')}`;
}
