// What the pages promise, for the tests that hold them to it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../architecture/sources.js';

/** The lines that a page says a program prints: the block after `<!-- output: <program> -->`. */
export function promised(page: string, program: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const found = text.split(`<!-- output: ${program} -->`)[1]?.match(/```text\n(.*?)\n```/s)?.[1];
  if (found === undefined) throw new Error(`${page} does not say what ${program} prints`);
  return found.split('\n');
}
