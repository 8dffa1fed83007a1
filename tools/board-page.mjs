// `node tools/board-page.mjs [--if-needed]`: builds the page of the board into libs/board/dist/page, where its server finds it.
// `build` makes it as a part of the package; tests and work on the page need no more than this.
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './run.mjs';

const folder = join(root, 'libs', 'board', 'page');
const target = join(root, 'libs', 'board', 'dist', 'page');

/**
 * Builds it into `outDir`.
 *
 * @param {string} outDir
 */
export async function buildPage(outDir) {
  const { build } = await import('vite');
  const before = process.env.NODE_ENV;
  // With another value, as tests have it, the page would be the larger one for development.
  process.env.NODE_ENV = 'production';
  await build({ configFile: join(folder, 'vite.config.mjs'), build: { outDir, emptyOutDir: true } });
  if (before === undefined) delete process.env.NODE_ENV;
  else process.env.NODE_ENV = before;
}

/** Builds it where the server of the board finds it, if it is older than its sources. */
export async function buildPageIfNeeded() {
  const sources = ['src', 'index.html', 'vite.config.mjs'].map((name) => newest(join(folder, name)));
  const made = statSync(join(target, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (made < Math.max(...sources)) await replacePage();
}

async function replacePage() {
  // Beside the old one first: somebody may be looking at it.
  const staged = `${target}.${process.pid}`;
  await buildPage(staged);
  rmSync(target, { recursive: true, force: true });
  renameSync(staged, target);
}

/** @param {string} path @returns {number} */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await (process.argv.includes('--if-needed') ? buildPageIfNeeded() : replacePage());
