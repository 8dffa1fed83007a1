// Slips that the tests must notice, a file for each part of the libraries. A mutant replaces `from`, which stands once in
// `file`, by `to`; `tests` are parts of the paths of the test files that hold the promise. `npm run mutants` tries them.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

const files = readdirSync(import.meta.dirname).filter(
  (file) => file.endsWith('.mjs') && file !== 'index.mjs',
);

/**
 * @typedef {object} Mutant
 * @property {string} area
 * @property {string} id
 * @property {string} file
 * @property {string} from
 * @property {string} to
 * @property {string} promise the sentence of the documentation that it breaks
 * @property {readonly string[]} tests
 */

/**
 * All of them.
 *
 * @type {Mutant[]}
 */
export const mutants = [];
for (const file of files) {
  const { default: list } = await import(join(import.meta.dirname, file));
  for (const mutant of list) mutants.push({ area: basename(file, '.mjs'), ...mutant });
}
