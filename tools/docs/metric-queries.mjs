// Queries of Prometheus for dashboard and alerts, made from the table of instruments: a query that names a metric or a label
// which is not there cannot be written.

/**
 * @typedef {typeof import('../../libs/amqp/src/plugins/instruments.js')} Instruments
 * @typedef {keyof Instruments['METRICS'] | keyof Instruments['STATUS_COUNTERS']} Key
 * @typedef {ReturnType<typeof queries>} Query
 */

/**
 * Of a query: conditions, the time that it is over, the end of the metric's name.
 *
 * @typedef {{ where?: readonly string[], over?: string, part?: string, of?: 'rate' | 'increase' }} More
 */

/** Labels that Prometheus itself adds. */
const ADDED = ['job', 'instance', 'le'];

/** @param {Instruments} instruments */
export function queries({ METRICS, STATUS_COUNTERS, prometheusLabel, prometheusName }) {
  /** @type {Record<Key, import('../../libs/amqp/src/plugins/instruments.js').Instrument>} */
  const all = { ...METRICS, ...STATUS_COUNTERS };
  /** @param {Key} key */
  const metric = (key, part = '') => {
    if (all[key] === undefined) throw new Error(`there is no instrument ${key}`);
    return `${prometheusName(all[key])}${part}`;
  };
  /** @param {Key} key @param {readonly string[]} names */
  const labels = (key, names) => {
    const known = [...all[key].labels.map(prometheusLabel), ...ADDED];
    const wrong = names.find((name) => !known.includes(name));
    if (wrong !== undefined) throw new Error(`${all[key].name} has no label ${wrong}`);
    return names.join(', ');
  };
  /** @param {Key} key @param {string} part @param {readonly string[]} where */
  const selected = (key, part, where) => {
    labels(
      key,
      where.map((each) => /^\w+/.exec(each)?.[0] ?? each),
    );
    return `${metric(key, part)}{${where.join(',')}}`;
  };
  /** @param {Key} key @param {readonly string[]} by @param {More} [more] */
  const rate = (key, by, { where = [], over = '$__rate_interval', part = '', of = 'rate' } = {}) =>
    `sum by (${labels(key, by)}) (${of}(${selected(key, part, where)}[${over}]))`;
  return {
    rate,
    /** @param {Key} key @param {readonly string[]} by @param {More} [more] */
    increase: (key, by, more) => rate(key, by, { ...more, of: 'increase' }),
    /** @param {number} at @param {Key} key @param {readonly string[]} by @param {More} [more] */
    quantile: (at, key, by, more) =>
      `histogram_quantile(${at}, ${rate(key, [...by, 'le'], { ...more, part: '_bucket' })})`,
    /** @param {Key} key @param {string} of @param {readonly string[]} by @param {readonly string[]} [where] */
    gauge: (key, of, by, where = []) => `${of} by (${labels(key, by)}) (${selected(key, '', where)})`,
    /** @param {Key} key @param {string} label */
    values: (key, label) => `label_values(${metric(key)}, ${labels(key, [label])})`,
  };
}
