// The table of promises in docs/reliability.md is true: each promise stands in its page, and its test is in its file.
// A sentence that is changed asks here which test holds it now; a test that is renamed or deleted, what it was for.
import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { nodes, root, sample, type Source } from './sources.js';

interface Promised {
  /** A piece of the page, without its links and emphasis. */
  readonly promise: string;
  /** `path > title`. */
  readonly test: string;
}

const promises = JSON.parse(read('docs/reliability/promises.json')) as Record<string, readonly Promised[]>;
const titles = new Map<string, readonly string[]>();

function read(path: string): string {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** What a reader reads: links are their texts, line ends are spaces. */
const plain = (page: string): string =>
  page
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('**', '')
    .replace(/\s+/g, ' ');

/** First arguments of `it`, `describe` and what is built on them, as they are written. */
function titlesOf(source: Source): string[] {
  return nodes(source)
    .filter(ts.isCallExpression)
    .filter(({ expression }) => /^(it|describe|on[A-Z]\w*)\b/.test(expression.getText(source.ast)))
    .flatMap(({ arguments: [first] }) => {
      if (first !== undefined && ts.isStringLiteralLike(first)) return [first.text];
      return first !== undefined && ts.isTemplateExpression(first) ? [first.getText(source.ast)] : [];
    });
}

const titlesIn = (path: string): readonly string[] => {
  const known = titles.get(path) ?? titlesOf(sample(path, read(path)));
  titles.set(path, known);
  return known;
};

function wrong(page: string, text: string, { promise, test }: Promised, inFile = titlesIn): string[] {
  const [path, title] = test.split(/ > (.*)/s);
  return [
    ...(plain(text).includes(promise) ? [] : [`${page} does not say: ${promise}`]),
    ...(inFile(path).some((each) => each.includes(title)) ? [] : [`${path} has no test: ${title}`]),
  ];
}

describe('promises', () => {
  it.each(Object.entries(promises))('of %s stand there, and each has its test', (page, promised) => {
    const text = read(page);
    expect(promised.flatMap((each) => wrong(page, text, each))).toEqual([]);
  });

  it('stand in the table once with each test', () => {
    for (const [page, promised] of Object.entries(promises)) {
      const rows = promised.map(({ promise, test }) => `${promise} | ${test}`);
      expect([page, new Set(rows).size]).toEqual([page, rows.length]);
    }
  });

  it('that are gone, or whose test is, are found', () => {
    const each = { promise: 'It comes back.', test: 'a.spec.ts > comes back after %s' };
    const found = (text: string, ...inFile: string[]) => wrong('a.md', text, each, () => inFile).length;
    expect(found('**It [comes](b.md)\nback.**', 'it comes back after %s, once')).toBe(0);
    expect(found('It comes back', 'it comes back after %s, once')).toBe(1);
    expect(found('It comes back.', 'it stays away')).toBe(1);
    const titlesThere = titlesOf(
      sample('a.spec.ts', "it.each([1])('one', f); onEachBroker(`two`, g); call('x');"),
    );
    expect(titlesThere).toEqual(['one', 'two']);
  });
});
