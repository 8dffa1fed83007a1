// What the documents list must be what the code has: the error codes, and the steps of a delivery. A reader who
// meets a code in a log finds it in docs/errors.md; the drawing in docs/lifecycle.md shows the real order.
import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
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
