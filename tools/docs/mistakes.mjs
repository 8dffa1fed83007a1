// The table of what the compiler says to wrong uses of contracts: from the file whose lines a test compiles, one by one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.mjs';

const FILE = 'test/types/wrong/contracts.ts';

/** Rows of a wrong use and the words that its message holds. */
export function mistakeRows() {
  const lines = readFileSync(join(root, FILE), 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    const message = /^\s*\/\/ error: (.*)$/.exec(line)?.[1];
    if (message === undefined) return [];
    const [first, second] = [lines[index + 1].trim(), lines[index + 2].trim()];
    // A decorator says little without the method under it.
    const use = first.startsWith('@') ? `${first} ${second.replace(/ \{$/, '')}` : first;
    return [[`\`${use}\``, message]];
  });
}
