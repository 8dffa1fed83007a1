// `npm run version`: turns the files of .changeset into the next version, which all packages share. They name each other
// by exactly that version; the lines of the changelog come from the files.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { install } from './install.mjs';
import { fail, root, run, runNode } from './run.mjs';

const UNRELEASED = '## [Unreleased]';

/**
 * The changelog with what was unreleased under its version, and with these lines at its end.
 *
 * @param {string} text
 * @param {string} version
 * @param {string} date
 * @param {readonly string[]} lines
 */
export function released(text, version, date, lines) {
  const begin = text.indexOf(UNRELEASED);
  if (begin < 0) throw new Error(`CHANGELOG.md has no "${UNRELEASED}"`);
  const after = begin + UNRELEASED.length;
  const next = text.indexOf('\n## ', after);
  const end = next < 0 ? text.length : next;
  const body = text.slice(after, end).trimEnd();
  const added = lines.map((line) => `\n\n- ${line.trim().replace(/\n/g, '\n  ')}`).join('');
  const rest = text.slice(end);
  return `${text.slice(0, begin)}${UNRELEASED}\n\n## [${version}] - ${date}${body}${added}\n${rest}`;
}

/**
 * The text of a changeset, without what it says about packages.
 *
 * @param {string} text
 */
export const summary = (text) => text.replace(/^---\n.*?\n---\n/s, '').trim();

async function main() {
  await install();
  const pending = readdirSync(join(root, '.changeset')).filter((name) => /(?<!README)\.md$/.test(name));
  if (pending.length === 0) fail('There is no changeset: npx changeset');
  const lines = pending.map((name) => summary(readFileSync(join(root, '.changeset', name), 'utf8')));
  // What is out of the range of a peer would make the next version a major one.
  namedAs('*');
  const { code } = await runNode([join(root, 'node_modules', '@changesets', 'cli', 'bin.js'), 'version']);
  if (code !== 0) fail('changeset version failed');
  const { version } = read(join(root, 'libs', 'amqp', 'package.json'));
  namedAs(version);
  const changelog = join(root, 'CHANGELOG.md');
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(changelog, released(readFileSync(changelog, 'utf8'), version, date, lines.filter(Boolean)));
  await run('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund']);
  console.log(
    `\n${version}: look through CHANGELOG.md, run npm run check, commit, and push the tag v${version}.`,
  );
}

/**
 * Writes how the packages of this repository name each other.
 *
 * @param {string} range
 */
function namedAs(range) {
  for (const folder of ['libs', 'apps', 'examples']) {
    for (const name of readdirSync(join(root, folder))) {
      const path = join(root, folder, name, 'package.json');
      if (!existsSync(path)) continue;
      const found = read(path);
      for (const kind of ['dependencies', 'peerDependencies', 'devDependencies']) {
        for (const each of Object.keys(found[kind] ?? {}))
          if (each.startsWith('@warren/')) found[kind][each] = range;
      }
      writeFileSync(path, `${JSON.stringify(found, undefined, 2)}\n`);
    }
  }
}

/** @param {string} path */
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
