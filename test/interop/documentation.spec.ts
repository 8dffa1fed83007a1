// What docs/interop.md shows is what ran: every snippet stands, line by line, in the file that it names.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Indentation differs between a class and a page; nothing else may. */
const bare = (text: string): string => text.replace(/^[ \t]+/gm, '').trim();

const blocks = (page: string): (readonly [string | undefined, string])[] =>
  [...page.matchAll(/(?:<!-- from (\S+) -->\n\n)?```\w+\n([\s\S]*?)```/g)].map(([, path, code]) => [
    path,
    code,
  ]);

describe('docs/interop.md', () => {
  const shown = blocks(read('docs/interop.md'));

  it('says of every snippet which file it is from', () => {
    expect(shown.length).toBeGreaterThan(10);
    expect(shown.filter(([path]) => path === undefined)).toEqual([]);
  });

  it.each(shown)('shows lines of %s', (path, code) => {
    expect(bare(read(path ?? ''))).toContain(bare(code));
  });

  it('a snippet that differs by a word is found', () => {
    expect(bare('  if (a)\n    b();')).toContain(bare('if (a)\n  b();'));
    expect(bare('  if (a)\n    b();')).not.toContain(bare('if (a)\n  c();'));
    expect(blocks('```ts\nx\n```')).toEqual([[undefined, 'x\n']]);
  });
});
