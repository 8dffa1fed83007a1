// The Grafana dashboard of the package, the files that are generated for it, and the table of docs/metrics.md.

import { alertsPage } from './alerts.mjs';
import { queries } from './metric-queries.mjs';

/**
 * @typedef {import('./metric-queries.mjs').Instruments} Instruments
 * @typedef {import('./metric-queries.mjs').Key} Key
 * @typedef {import('./metric-queries.mjs').Query} Query
 */

/**
 * @typedef {[expr: string, legend: string]} Target
 * @typedef {[title: string, targets: Target[], unit: string]} Panel
 * @typedef {[title: string, ...panels: Panel[]]} Row
 */

/**
 * The queries of panels, which show what the variables of the dashboard select.
 *
 * @typedef {object} Shown
 * @property {(key: Key, by: readonly string[], where?: readonly string[], part?: string) => string} shown a rate
 * @property {(key: Key, by: readonly string[]) => string} late the 95th percentile
 * @property {(key: Key, of: string, by: readonly string[]) => string} now a gauge
 */

/**
 * The files, by their paths.
 *
 * @param {Instruments} instruments
 */
export function monitoring(instruments) {
  const query = queries(instruments);
  return {
    'libs/nestjs/monitoring/dashboard.json': JSON.stringify(dashboard(query)),
    'libs/nestjs/monitoring/alerts.yml': alertsPage(query),
  };
}

/**
 * The table of docs/metrics.md.
 *
 * @param {import('./performance.mjs').Table} table
 * @param {Instruments} instruments
 */
export function instrumentTable(table, { INSTRUMENTS, prometheusLabel, prometheusName }) {
  /** @param {string} text */
  const code = (text) => `\`${text}\``;
  const rows = INSTRUMENTS.map((each) => {
    const labels = each.labels.filter((label) => label !== 'connection').map(prometheusLabel);
    const kind = each.unit === '' ? each.kind : `${each.kind}, ${code(each.unit)}`;
    return [code(each.name), code(prometheusName(each)), kind, labels.map(code).join(', '), each.meaning];
  });
  return table(['instrument', 'in Prometheus', 'kind, unit', 'labels', 'meaning'], rows);
}

const SHOWN = ['job=~"$job"', 'connection=~"$connection"'];

/** @param {Query} query */
function dashboard(query) {
  const { rate, quantile, gauge, values } = query;
  /** @type {Shown['shown']} */
  const shown = (key, by, where = [], part = '') => rate(key, by, { where: [...SHOWN, ...where], part });
  /** @type {Shown['late']} */
  const late = (key, by) => quantile(0.95, key, by, { where: SHOWN });
  /** @type {Shown['now']} */
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

/** @param {Shown} query @returns {Row} */
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

/** @param {Shown} query @returns {Row} */
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
    ['Concurrency in use', [[now('utilization', 'avg', ['queue']), '{{queue}}']], 'percentunit'],
    ['Oldest in flight', [[now('consumerLag', 'max', ['queue']), '{{queue}}']], 's'],
    ['Consumers paused', [[now('consumerPaused', 'sum', ['queue']), '{{queue}}']], 'short'],
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

/** @param {Shown} query @returns {Row} */
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
      'Publish buffer, size',
      [[now('bufferBytes', 'sum', ['job', 'connection']), '{{job}} {{connection}}']],
      'bytes',
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

/** @param {Shown} query @returns {Row} */
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

/** @param {string} name @param {string} query */
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

/**
 * Three panels beside each other, each row of them under its title.
 *
 * @param {readonly Row[]} rows
 */
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
