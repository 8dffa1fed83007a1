// A test waits for what it wants to see, not for time to pass: sleeping makes it slow when it passes and wrong on
// a slow machine. Asking again in a loop is fine. Where time itself is what is tested and no clock can be moved,
// a comment `// waits: <why>` on the line or above it says so.
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { type Source, imports, isTest, lineOf, nodes, sample, sources } from './sources.js';

const sleepers = new Set(['sleep', 'delay', 'pause', 'wait']);

function sleepRule(files: readonly Source[]): string[] {
  return files.flatMap((source) => {
    const promised = imports(source).some(({ name }) => name === 'node:timers/promises');
    return nodes(source)
      .filter(
        (node) => (isSleep(node, promised) || isHandmade(node)) && !isPoll(node) && !explained(source, node),
      )
      .map(
        (node) => `${source.path}:${lineOf(source, node)} sleeps; wait for an event, or ask again in a loop`,
      );
  });
}

/** `await setTimeout(50)` of node:timers/promises under any name, `sleep(50)`, `delay(50)`. */
function isSleep(node: ts.Node, promised: boolean): boolean {
  if (!ts.isCallExpression(node)) return false;
  const name = ts.isPropertyAccessExpression(node.expression) ? node.expression.name : node.expression;
  const [first] = node.arguments;
  if (!ts.isIdentifier(name) || first === undefined || !ts.isNumericLiteral(first)) return false;
  return sleepers.has(name.text) || (promised && name.text === 'setTimeout');
}

/** `new Promise((resolve) => setTimeout(resolve, 50))`. */
function isHandmade(node: ts.Node): boolean {
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'Promise') return false;
  return /^\(?\(?(\w+)\)?\s*=>\s*\{?\s*(void )?setTimeout\(\s*(\1|\(\) => \1\(.*?\)),/.test(
    node.arguments?.[0]?.getText() ?? '',
  );
}

function isPoll(node: ts.Node): boolean {
  for (let at = node.parent; at !== undefined && !ts.isFunctionLike(at); at = at.parent) {
    if (ts.isWhileStatement(at) || ts.isDoStatement(at) || ts.isForStatement(at)) return true;
  }
  return false;
}

function explained(source: Source, node: ts.Node): boolean {
  const lines = source.text.split('\n');
  const line = lineOf(source, node);
  return [lines[line - 1], lines[line - 2]].some((each) => /\/\/ waits: \w/.test(each ?? ''));
}

describe('sleep', () => {
  it('no test sleeps', () => {
    expect(sleepRule(sources((path) => isTest(path) && path !== 'test/architecture/sleep.spec.ts'))).toEqual(
      [],
    );
  });

  it.each([
    `import { setTimeout } from 'node:timers/promises'; await setTimeout(50);`,
    `import * as timers from 'node:timers/promises'; await timers.setTimeout(50);`,
    `await sleep(1_000);`,
    `await new Promise((resolve) => setTimeout(resolve, 50));`,
    `await new Promise<void>((done) => { setTimeout(() => done(), ms); });`,
  ])('sleeping is found: %s', (text) => {
    expect(sleepRule([sample('a.spec.ts', text)])).toHaveLength(1);
  });

  it.each([
    `const timer = setTimeout(() => fail(), 50);`,
    `while (!done()) await sleep(10);`,
    `await delay(50); // waits: the broker's own clock decides here`,
  ])('this is no sleeping: %s', (text) => {
    expect(sleepRule([sample('a.spec.ts', text)])).toEqual([]);
  });
});
