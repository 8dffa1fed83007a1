// The site: the pages of the repository, with the reference beside them, as VitePress wants them. It is built in
// tools/site, whose packages are installed only for it: nothing else here needs them.
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { alone } from '../lock.mjs';
import { fail, onSignal, root, run, runNode } from '../run.mjs';
import { repository } from './links.mjs';
import { placeOf } from './order.mjs';

const site = join(root, 'tools', 'site');
const staged = join(site, 'dist', 'pages');

/**
 * Puts the pages (path in the repository, and text) where VitePress reads them.
 *
 * @param {ReadonlyMap<string, string>} pages
 * @param {(folder: string) => Promise<void>} writeReference
 */
async function stage(pages, writeReference) {
  rmSync(staged, { recursive: true, force: true });
  mkdirSync(staged, { recursive: true });
  for (const [path, text] of pages) stagePage(path, text);
  await writeReference(join(staged, 'api'));
}

/** @param {string} path @param {string} text */
function stagePage(path, text) {
  const place = placeOf(path);
  if (place === undefined) return;
  const target = join(staged, place);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, withLinks(path, place, text));
}

/**
 * The text with links as the site has them: to pages where they are there, to all else in the repository.
 *
 * @param {string} path
 * @param {string} place
 * @param {string} text
 */
function withLinks(path, place, text) {
  return text.replace(/(!?)\]\(([^)\s]+)\)/g, (all, _image, link) => {
    if (/^(#|[a-z]+:)/.test(link)) return all;
    const [file, anchor = ''] = link.split('#');
    const target = posix.join(posix.dirname(path), file);
    const there = placeOf(target);
    const end = anchor === '' ? '' : `#${anchor}`;
    if (there !== undefined) return `](${relative(place, there)}${end})`;
    if (/\.(svg|png)$/.test(target)) {
      copyFileSync(join(root, target), join(staged, dirname(place), posix.basename(target)));
      return `](./${posix.basename(target)})`;
    }
    const kind = statSync(join(root, target)).isDirectory() ? 'tree' : 'blob';
    return `](${repository}/${kind}/main/${target}${end})`;
  });
}

/** @param {string} from @param {string} to */
function relative(from, to) {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith('.') ? path : `./${path}`;
}

/** Installs what only the site needs, once. */
async function prepare() {
  await alone(
    'npm ci of the site',
    async () => {
      const [wanted, present] = ['package-lock.json', 'node_modules/.package-lock.json'].map((name) => {
        try {
          return JSON.parse(readFileSync(join(site, name), 'utf8')).packages['node_modules/vitepress']
            .version;
        } catch {
          return undefined;
        }
      });
      if (wanted === present) return;
      console.log('installing VitePress ...');
      const { code, output } = await run('npm', ['ci', '--no-audit', '--no-fund'], {
        cwd: site,
        quiet: true,
      });
      if (code !== 0) fail(`npm ci in tools/site failed:\n${output}`);
    },
    site,
  );
}

/**
 * Builds the site into dist/docs. Resolves to what is wrong: VitePress takes a dead link for an error.
 *
 * @param {ReadonlyMap<string, string>} pages
 * @param {(folder: string) => Promise<void>} writeReference
 * @returns {Promise<string[]>}
 */
export async function buildSite(pages, writeReference) {
  await prepare();
  await stage(pages, writeReference);
  const { code, output, seconds } = await vitepress(['build'], true);
  if (code !== 0) return [`the site cannot be built:\n${output}`];
  console.log(`built the site into dist/docs in ${seconds.toFixed(0)} s`);
  return [];
}

/**
 * Serves the site until it is stopped. A page that changes is shown anew; the reference and generated tables are as they were.
 *
 * @param {ReadonlyMap<string, string>} pages
 * @param {(folder: string) => Promise<void>} writeReference
 */
export async function serveSite(pages, writeReference) {
  await prepare();
  await stage(pages, writeReference);
  for (const path of pages.keys()) {
    watch(join(root, path), () => stagePage(path, readFileSync(join(root, path), 'utf8')));
  }
  onSignal(() => {});
  await vitepress(['dev'], false);
}

/** @param {string[]} args @param {boolean} quiet */
function vitepress(args, quiet) {
  const program = join(site, 'node_modules', 'vitepress', 'bin', 'vitepress.js');
  return runNode([program, ...args], { cwd: site, quiet });
}
