// The dashboard and the alert rules of the package ask only for what there is: metrics of the table, with their labels.
import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INSTRUMENTS, prometheusLabel, prometheusName } from '@warren/amqp';

const folder = join(import.meta.dirname, '../../libs/nestjs/monitoring');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** Labels by metric, as Prometheus stores them. */
const known = new Map<string, readonly string[]>(
  INSTRUMENTS.flatMap((instrument): [string, string[]][] => {
    const name = prometheusName(instrument);
    const labels = [...instrument.labels.map(prometheusLabel), 'job', 'instance'];
    if (instrument.kind !== 'histogram') return [[name, labels]];
    return [
      [`${name}_bucket`, [...labels, 'le']],
      [`${name}_count`, labels],
      [`${name}_sum`, labels],
    ];
  }),
);

/** What is wrong with a query: metrics and labels that do not exist. */
function wrongIn(query: string): string[] {
  const found = [...query.matchAll(/\b((?:warren|messaging)_\w+)\s*(?:\{([^}]*)\})?/g)];
  const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list.split(','));
  const metrics = found.filter(([, name]) => ![...known.values()].flat().includes(name));
  const groupedBy = (name: string): string[] =>
    grouped.map((each) => each.trim()).filter((label) => known.get(name)?.includes(label) === false);
  return metrics.flatMap(([, name, selector = '']) => {
    const labels = known.get(name);
    if (!labels) return [`there is no ${name}`];
    const selected = [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label);
    return [...selected.filter((label) => !labels.includes(label)), ...groupedBy(name)].map(
      (label) => `${name} has no label ${label}`,
    );
  });
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] };
}

describe('the Grafana dashboard', () => {
  const { panels, templating } = JSON.parse(read('dashboard.json')) as Dashboard;
  const targets = panels.flatMap((panel) => panel.targets ?? []);

  it('asks for metrics and labels that exist', () => {
    expect(targets.length).toBeGreaterThan(15);
    expect(targets.flatMap(({ expr }) => wrongIn(expr))).toEqual([]);
    const variables = templating.list.map(({ query }) => (typeof query === 'string' ? '' : query.query));
    for (const query of variables.filter((each) => each !== '')) {
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(query) ?? [];
      expect(known.get(metric)).toContain(label);
    }
  });

  it('shows every gauge: what an instance is like now is on no other page', () => {
    const shown = targets.map(({ expr }) => expr).join('\n');
    const gauges = INSTRUMENTS.filter(({ kind }) => kind === 'gauge').map(prometheusName);
    expect(gauges.filter((name) => !shown.includes(`${name}{`))).toEqual([]);
  });

  it('names in each legend only labels that its query keeps, and gives each panel its own id', () => {
    for (const { expr, legendFormat } of targets) {
      const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list.split(/, ?/));
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(kept).toContain(label);
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

describe('the alert rules', () => {
  const text = read('alerts.yml');
  const rules = [...text.matchAll(/- alert: (\w+)\n\s+expr: \|\n\s+(.+)\n[^]*?summary: \|\n\s+(.+)\n/g)];

  it('ask for metrics and labels that exist, and name in their text only labels that are left', () => {
    expect(rules).toHaveLength(text.match(/- alert:/g)?.length ?? 0);
    expect(rules.length).toBeGreaterThan(8);
    for (const [, alert, expr, summary] of rules) {
      expect([alert, ...wrongIn(expr)]).toEqual([alert]);
      const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list.split(/, ?/));
      for (const [, label] of summary.matchAll(/\$labels\.(\w+)/g)) expect(kept).toContain(label);
    }
  });

  const tool = spawnSync('promtool', ['--version']).status === 0;
  (tool ? it : it.skip)('are valid for Prometheus (needs promtool: apt-get install prometheus)', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', join(folder, 'alerts.yml')], {
      encoding: 'utf8',
    });
    expect(`${status} ${stdout}${stderr}`).toMatch(/^0 [^]*SUCCESS/);
  });
});

describe('the check', () => {
  it.each([
    ['sum(rate(warren_dead_letter_total[5m]))', 'there is no warren_dead_letter_total'],
    ['rate(warren_dead_letters_total{exchange="x"}[5m])', 'warren_dead_letters_total has no label exchange'],
    ['sum by (exchange) (warren_in_flight)', 'warren_in_flight has no label exchange'],
    ['rate(warren_call_duration_seconds[5m])', 'there is no warren_call_duration_seconds'],
  ])('finds what is wrong with %s', (query, problem) => {
    expect(wrongIn(query)).toEqual([problem]);
  });
});
