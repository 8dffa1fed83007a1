// Code in pages is never typed there: a comment `<!-- code: path#region -->` names the file that it comes from, which
// is type-checked with everything else and, for programs, run by test/docs.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.mjs';

const marked = /<!-- code: (\S+?)(?:#([\w-]+))? -->\n\n?```ts\n.*?```/gs;

// Parts of a class or a test cannot be regions of their own: they are typed, and compared without their indentation.
const quoted = /<!-- from (\S+) -->\n\n?```ts\n(.*?)```/gs;

/**
 * The page with its code as the files have it, and sentences about what is wrong.
 *
 * @param {string} path
 * @param {string} text
 */
export function withCode(path, text) {
  const problems = [];
  const page = text.replace(
    marked,
    (/** @type {string} */ block, /** @type {string} */ file, /** @type {string} */ region) => {
      const code = codeOf(file, region);
      if (code === undefined) {
        problems.push(`${path}: there is no ${file}${region ? `#${region}` : ''}`);
        return block;
      }
      return `<!-- code: ${file}${region ? `#${region}` : ''} -->\n\n\`\`\`ts\n${code}\n\`\`\``;
    },
  );
  for (const [, file, code] of text.matchAll(quoted)) {
    const source = existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : '';
    if (!bare(source).includes(bare(code))) problems.push(`${path}: not in ${file}: ${code.split('\n')[0]}`);
  }
  for (const [block] of text
    .replace(marked, '')
    .replace(quoted, '')
    .matchAll(/^```(?:ts|typescript|js|javascript)\n.*\n/gm)) {
    problems.push(`${path}: code without a source: ${block.split('\n')[1]}`);
  }
  return { page, problems };
}

/** @param {string} text */
const bare = (text) => text.replace(/^[ \t]+/gm, '').trim();

/** @param {string} file @param {string} region */
function codeOf(file, region) {
  const path = join(root, file);
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  if (region === undefined) return lines.filter((line) => !/^\/\/ #(end)?region/.test(line)).join('\n');
  const first = lines.indexOf(`// #region ${region}`);
  if (first < 0) return undefined;
  const length = lines.slice(first).indexOf('// #endregion');
  return length < 0 ? undefined : lines.slice(first + 1, first + length).join('\n');
}
