// The Grafana dashboard and the alert rules of the package, made from the table of instruments: a query that names a metric
// or a label which is not there cannot be written.

/** Labels that Prometheus itself adds. */
const ADDED = ['job', 'instance', 'le'];

/**
 * The files, by their paths.
 *
 * @param {typeof import('../../libs/amqp/src/plugins/instruments.js')} instruments
 */
export function monitoring(instruments) {
  const query = queries(instruments);
  return {
    'libs/nestjs/monitoring/dashboard.json': JSON.stringify(dashboard(query)),
    'libs/nestjs/monitoring/alerts.yml': alertsPage(alerts(query)),
  };
}

/** The table of docs/metrics.md. */
export function instrumentTable(table, { INSTRUMENTS, prometheusLabel, prometheusName }) {
  const code = (text) => `\`${text}\``;
  const rows = INSTRUMENTS.map((each) => {
    const labels = each.labels.filter((label) => label !== 'connection').map(prometheusLabel);
    const kind = each.unit === '' ? each.kind : `${each.kind}, ${code(each.unit)}`;
    return [code(each.name), code(prometheusName(each)), kind, labels.map(code).join(', '), each.meaning];
  });
  return table(['instrument', 'in Prometheus', 'kind, unit', 'labels', 'meaning'], rows);
}

function queries({ METRICS, STATUS_COUNTERS, prometheusLabel, prometheusName }) {
  const all = { ...METRICS, ...STATUS_COUNTERS };
  const metric = (key, part = '') => {
    if (all[key] === undefined) throw new Error(`there is no instrument ${key}`);
    return `${prometheusName(all[key])}${part}`;
  };
  const labels = (key, names) => {
    const known = [...all[key].labels.map(prometheusLabel), ...ADDED];
    const wrong = names.find((name) => !known.includes(name));
    if (wrong !== undefined) throw new Error(`${all[key].name} has no label ${wrong}`);
    return names.join(', ');
  };
  const selected = (key, part, where) => {
    labels(
      key,
      where.map((each) => /^\w+/.exec(each)?.[0] ?? each),
    );
    return `${metric(key, part)}{${where.join(',')}}`;
  };
  const rate = (key, by, { where = [], over = '$__rate_interval', part = '', of = 'rate' } = {}) =>
    `sum by (${labels(key, by)}) (${of}(${selected(key, part, where)}[${over}]))`;
  return {
    rate,
    increase: (key, by, more) => rate(key, by, { ...more, of: 'increase' }),
    quantile: (at, key, by, more) =>
      `histogram_quantile(${at}, ${rate(key, [...by, 'le'], { ...more, part: '_bucket' })})`,
    gauge: (key, of, by, where = []) => `${of} by (${labels(key, by)}) (${selected(key, '', where)})`,
    values: (key, label) => `label_values(${metric(key)}, ${labels(key, [label])})`,
  };
}

const SHOWN = ['job=~"$job"', 'connection=~"$connection"'];

function dashboard(query) {
  const { rate, quantile, gauge, values } = query;
  const shown = (key, by, where = [], part = '') => rate(key, by, { where: [...SHOWN, ...where], part });
  const late = (key, by) => quantile(0.95, key, by, { where: SHOWN });
  const now = (key, of, by) => gauge(key, of, by, SHOWN);
  const rows = [connectionPanels, handlerPanels, publishingPanels, callPanels].map((each) =>
    each({ shown, late, now }),
  );
  return {
    title: 'Warren',
    uid: 'warren',
    tags: ['rabbitmq', 'warren'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'data source' },
        variable('job', values('connectionUp', 'job')),
        variable('connection', values('connectionUp', 'connection')),
      ],
    },
    panels: laidOut(rows),
  };
}

function connectionPanels({ shown, now }) {
  return [
    'Connections and consumers',
    [
      'Connections open',
      [[now('connectionUp', 'min', ['job', 'connection', 'role']), '{{job}} {{connection}} {{role}}']],
      'short',
    ],
    ['Consumers ready', [[now('consumerReady', 'min', ['job', 'queue']), '{{job}} {{queue}}']], 'short'],
    [
      'Blocked by the broker',
      [[now('connectionBlocked', 'max', ['job', 'connection', 'role']), '{{job}} {{connection}} {{role}}']],
      'short',
    ],
    [
      'Losses',
      [
        [shown('connectionsLost', ['job']), '{{job}} connections'],
        [shown('consumersLost', ['job']), '{{job}} consumers'],
        [shown('consumersRestarted', ['job']), '{{job}} consumers restarted'],
      ],
      'cps',
    ],
  ];
}

function handlerPanels({ shown, late, now }) {
  return [
    'Handlers',
    ['Messages handled', [[shown('verdicts', ['handler', 'verdict']), '{{handler}} {{verdict}}']], 'cps'],
    ['Time of handlers, 95 %', [[late('processDuration', ['handler']), '{{handler}}']], 's'],
    ['Delivery lag, 95 %', [[late('lag', ['queue', 'handler']), '{{queue}} {{handler}}']], 's'],
    [
      'Dead letters',
      [[shown('deadLetters', ['queue', 'handler', 'reason']), '{{queue}} {{handler}} {{reason}}']],
      'cps',
    ],
    [
      'Failures by error',
      [
        [
          shown('processDuration', ['handler', 'error_type'], ['error_type!=""'], '_count'),
          '{{handler}} {{error_type}}',
        ],
      ],
      'cps',
    ],
    [
      'Repeated attempts',
      [[shown('attempts', ['handler', 'attempt'], ['attempt!="1"']), '{{handler}} {{attempt}}']],
      'cps',
    ],
    ['In flight', [[now('inFlight', 'sum', ['queue']), '{{queue}}']], 'short'],
    [
      'Retries waiting',
      [
        [now('waiting', 'sum', ['job']), '{{job}}'],
        [shown('retriesLate', ['job']), '{{job}} late'],
      ],
      'short',
    ],
  ];
}

function publishingPanels({ shown, late, now }) {
  return [
    'Publishing',
    [
      'Messages sent',
      [
        [
          shown('sentMessages', ['messaging_operation_name', 'messaging_destination_name']),
          '{{messaging_operation_name}} {{messaging_destination_name}}',
        ],
      ],
      'cps',
    ],
    [
      'Failures',
      [
        [
          shown('sentMessages', ['messaging_destination_name', 'error_type'], ['error_type!=""']),
          '{{messaging_destination_name}} {{error_type}}',
        ],
        [shown('unrouted', ['messaging_destination_name']), '{{messaging_destination_name}} unrouted'],
      ],
      'cps',
    ],
    [
      'Time to the confirm, 95 %',
      [[late('operationDuration', ['messaging_operation_name']), '{{messaging_operation_name}}']],
      's',
    ],
    [
      'Publish buffer',
      [[now('bufferUsage', 'max', ['job', 'connection']), '{{job}} {{connection}}']],
      'percentunit',
    ],
    [
      'Not confirmed yet',
      [
        [now('unconfirmed', 'sum', ['job']), '{{job}}'],
        [now('bufferMessages', 'sum', ['job']), '{{job}} in the buffer'],
      ],
      'short',
    ],
  ];
}

function callPanels({ shown, late, now }) {
  return [
    'Calls',
    [
      'Calls by outcome',
      [[shown('callDuration', ['call', 'outcome'], [], '_count'), '{{call}} {{outcome}}']],
      'cps',
    ],
    ['Time of calls, 95 %', [[late('callDuration', ['call']), '{{call}}']], 's'],
    ['Pending calls', [[now('pendingCalls', 'sum', ['job']), '{{job}}']], 'short'],
  ];
}

const source = { type: 'prometheus', uid: '${datasource}' };

function variable(name, query) {
  return {
    name,
    type: 'query',
    datasource: source,
    query: { query, refId: name },
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
  };
}

/** Three panels beside each other, each row of them under its title. */
function laidOut(rows) {
  const panels = [];
  let y = 0;
  for (const [title, ...list] of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: 24, h: 1 },
    });
    y++;
    list.forEach(([name, targets, unit], index) => {
      const gridPos = { x: (index % 3) * 8, y: y + 8 * Math.floor(index / 3), w: 8, h: 8 };
      panels.push({
        id: panels.length + 1,
        type: 'timeseries',
        title: name,
        datasource: source,
        gridPos,
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
        targets: targets.map(([expr, legendFormat], at) => ({
          refId: 'ABC'[at],
          datasource: source,
          expr,
          legendFormat,
        })),
      });
    });
    y += 8 * Math.ceil(list.length / 3);
  }
  return panels;
}

function alerts(query) {
  const all = [...stateAlerts(query), ...handlerAlerts(query), ...sendingAlerts(query)];
  return all.map(([alert, expr, wait, severity, summary]) => ({ alert, expr, wait, severity, summary }));
}

const of = (over) => ({ over });

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

function alertsPage(rules) {
  const texts = rules.map(
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
