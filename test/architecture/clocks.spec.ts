// The wall clock may be set at any time, forward and back, and differs from machine to machine. So it is read in few
// places, for what goes on the wire or is shown to people; durations are measured with the monotonic clock.
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { type Source, librarySources, lineOf, nodes, sample } from './sources.js';

/** Where it may be read: the clocks themselves. */
const readers = ['libs/amqp/src/runtime/clock.ts', 'libs/embedded/src/model/movable-clock.ts'];

function clockRule(files: readonly Source[]): string[] {
  return files
    .filter(({ path }) => !readers.includes(path))
    .flatMap((source) =>
      nodes(source)
        .filter(readsWallClock)
        .map((node) => `${source.path}:${lineOf(source, node)} reads the wall clock; take a Clock`),
    );
}

/** `Date.now` and `new Date()`. */
function readsWallClock(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.getText() === 'Date.now';
  return (
    ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0
  );
}

describe('clocks', () => {
  it('only few places read the wall clock', () => expect(clockRule(librarySources())).toEqual([]));

  it.each(['const end = Date.now() + 500;', 'take(Date.now);', 'const now = new Date();'])(
    'reading it is found: %s',
    (text) => expect(clockRule([sample('a.ts', text)])).toHaveLength(1),
  );

  it('a date of a number is none', () => expect(clockRule([sample('a.ts', 'new Date(5);')])).toEqual([]));
});
