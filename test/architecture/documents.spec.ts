// What the documents list must be what the code has: the error codes, and the steps of a delivery. A reader who
// meets a code in a log finds it in docs/errors.md; the drawing in docs/lifecycle.md shows the real order.
import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { INSTRUMENTS, prometheusName } from '../../libs/amqp/src/plugins/instruments.js';
import { LOG_EVENTS } from '../../libs/amqp/src/runtime/log-events.js';
import { type Source, librarySources, nodes, root, sample } from './sources.js';

const code = /\bWARREN_[A-Z0-9_]+\b/g;

/** Error codes are the only string literals of that shape in the libraries. */
function codesOf(files: readonly Source[]): string[] {
  const literals = files.flatMap((source) => nodes(source).filter(ts.isStringLiteral));
  return unique(literals.flatMap(({ text }) => (text.match(code)?.[0] === text ? [text] : [])));
}

/** Sentences for every difference between what is in the code and what is on the page. */
function sameRule(inCode: readonly string[], onPage: readonly string[], page: string): string[] {
  return [
    ...inCode.filter((each) => !onPage.includes(each)).map((each) => `${each} is missing in ${page}`),
    ...onPage
      .filter((each) => !inCode.includes(each))
      .map((each) => `${each} stands in ${page} but not in the code`),
  ];
}

/** Names of the steps, in their order: the elements of the list that pipeline.ts returns. */
function stepsOf(source: Source): string[] {
  const lists = nodes(source)
    .filter(ts.isArrayLiteralExpression)
    .filter(({ parent }) => ts.isReturnStatement(parent));
  return lists.flatMap((list) => list.elements.map((step) => step.getText()));
}

/** The page draws the way as `one → two → three`, in exactly this order and with nothing between. */
function orderRule(steps: readonly string[], text: string): string[] {
  const drawn = steps.join(' → ');
  const flat = text.replace(/[`*]/g, '').replace(/\s+/g, ' ');
  return flat.includes(`${drawn} → the handler`)
    ? []
    : [`docs/lifecycle.md does not say "${drawn} → the handler"`];
}

/** Names of metrics on a page that no instrument has. A histogram has three series. */
function metricsRule(text: string): string[] {
  const known = INSTRUMENTS.map(prometheusName);
  const named = unique(text.match(/\bwarren_[a-z_]+\b/g) ?? []);
  return named.filter((name) => !known.includes(name.replace(/_(bucket|count|sum)$/, '')));
}

/** Rows of the page about log lines: the name of each line with its level. */
function linesOn(text: string): string[] {
  return unique(
    [...text.matchAll(/^\| `([a-z-]+)` +\| (log|warn|error|debug) /gm)].map(
      ([, name, level]) => `${name}: ${level}`,
    ),
  );
}

/** Lines as the libraries write them: the literals named `event` in a call of a logger, with the level that is called. */
function linesOf(files: readonly Source[]): string[] {
  const found = files.flatMap(nodes).filter(ts.isPropertyAssignment);
  return unique(
    found.flatMap(({ name, initializer, parent }) => {
      if (name.getText() !== 'event' || !ts.isStringLiteral(initializer)) return [];
      let up: ts.Node = parent;
      while (!ts.isSourceFile(up) && !ts.isStatement(up)) {
        const level = ts.isCallExpression(up)
          ? /\.(log|warn|error|debug)$/.exec(up.expression.getText().replace(/\?/g, ''))?.[1]
          : undefined;
        if (level !== undefined) return [`${initializer.text}: ${level}`];
        up = up.parent;
      }
      return [];
    }),
  );
}

/** What the pieces of the lines on the page are, between the parts that vary. */
function piecesOn(text: string): string[] {
  const rows = [...text.matchAll(/^\| `[a-z-]+` +\| \w+ +\| (.*?) \|/gm)].map(([, line]) => line);
  const quoted = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, line]) => line));
  return quoted
    .flatMap((line) => line.split('…'))
    .map((piece) => piece.trim())
    .filter((piece) => /^[a-z ';,:]{14,}$/.test(piece));
}

const unique = (words: readonly string[]): string[] => [...new Set(words)].sort();

const page = (path: string): string => {
  const file = join(root, path);
  if (!existsSync(file)) throw new Error(`${path} does not exist`);
  return readFileSync(file, 'utf8');
};

describe('documents', () => {
  it('every error code is documented, and every documented code exists', () => {
    const documented = unique(page('docs/errors.md').match(code) ?? []);
    expect(sameRule(codesOf(librarySources()), documented, 'docs/errors.md')).toEqual([]);
  });

  it('every log line is documented with its level, and every documented one exists', () => {
    const documented = linesOn(page('docs/logging.md'));
    expect(
      sameRule(
        Object.entries(LOG_EVENTS).map(([name, level]) => `${name}: ${level}`),
        documented,
        'docs/logging.md',
      ),
    ).toEqual([]);
    // Those whose fields are made elsewhere are only in the table.
    expect(linesOf(librarySources()).filter((line) => !documented.includes(line))).toEqual([]);
  });

  it('log lines on the page are those of the code', () => {
    const code = librarySources()
      .map(({ text }) => text)
      .join('\n');
    const pieces = piecesOn(page('docs/logging.md'));
    expect(pieces.length).toBeGreaterThan(20);
    expect(pieces.filter((piece) => !code.includes(piece))).toEqual([]);
  });

  it('every metric that the pages about scaling and metrics name is measured', () => {
    expect(page('docs/scaling.md')).toMatch('warren_consumer_utilization_ratio');
    expect(metricsRule(page('docs/scaling.md'))).toEqual([]);
    expect(metricsRule(page('docs/metrics.md'))).toEqual([]);
    expect(metricsRule('`warren_delivery_lag_seconds_sum`, `warren_busy_ratio`')).toEqual([
      'warren_busy_ratio',
    ]);
  });

  it('the steps of a delivery are drawn in the order in which they run', () => {
    const path = 'libs/amqp/src/consume/pipeline.ts';
    expect(orderRule(stepsOf(sample(path, page(path))), page('docs/lifecycle.md'))).toEqual([]);
  });

  it('steps in another order, or one too few, are found', () => {
    const steps = stepsOf(
      sample('pipeline.ts', `function order(): readonly Step[] { return [observe, retry, decode]; }`),
    );
    expect(orderRule(steps, 'A: `observe` → retry →\n**decode** → the handler')).toEqual([]);
    expect(orderRule(steps, 'observe → decode → retry → the handler')).toHaveLength(1);
    expect(orderRule(steps, 'observe → decode → the handler')).toHaveLength(1);
    expect(orderRule(steps, 'observe → retry → decode → extra → the handler')).toHaveLength(1);
  });

  it('codes are read from string literals, and differences are found both ways', () => {
    const files = [sample('a.ts', `super('WARREN_A', x); throw new E('WARREN_B'); process.env.WARREN_URL;`)];
    expect(codesOf(files)).toEqual(['WARREN_A', 'WARREN_B']);
    expect(sameRule(['WARREN_A', 'WARREN_B'], ['WARREN_B', 'WARREN_C'], 'p')).toEqual([
      'WARREN_A is missing in p',
      'WARREN_C stands in p but not in the code',
    ]);
  });
});
