// Makes `npm run anything` work in a fresh clone: brings node_modules to what package-lock.json says, and does
// nothing, quickly, when it is there already. It compares contents rather than dates, which a clone does not keep.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alone } from './lock.mjs';
import { fail, root, run, withProgress } from './run.mjs';

/** Installs when needed. `reason` names the caller in the progress line. */
export async function install() {
  checkNode();
  if (missing() === undefined) return;
  await alone('npm install', async () => {
    const what = missing();
    if (what === undefined) return;
    // `npm ci` throws node_modules away first: right for a fresh clone, rude to whoever is using it now.
    const args = what === 'everything' ? ['ci'] : ['install', '--no-save'];
    const why = what === 'everything' ? 'once, for about half a minute' : `${what} is missing`;
    console.log(`installing packages with npm ${args.join(' ')} (${why}) ...`);
    const { code, output, seconds } = await withProgress('installing packages', () =>
      run('npm', [...args, '--no-audit', '--no-fund'], { quiet: true }),
    );
    if (code !== 0) fail(`npm ${args.join(' ')} failed:\n${output}`);
    console.log(`installed in ${seconds.toFixed(0)} s`);
  });
}

/** The first package of the lockfile that node_modules does not hold in that version; undefined when all are there. */
function missing() {
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf('node_modules/.package-lock.json');
  if (wanted === undefined) fail('package-lock.json is not there: is this the whole repository?');
  if (present === undefined) return 'everything';
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link || entry.optional || entry.peer || !path.includes('node_modules/'))
      continue;
    if (present[path]?.version !== entry.version) return path.replace(/^.*node_modules\//, '');
  }
  return undefined;
}

/** @param {string} path */
function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const good = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  if (!good)
    fail(`Node ${process.versions.node} is too old: Warren needs 20.19 or newer, 22.12 or newer, or 24.`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await install();
