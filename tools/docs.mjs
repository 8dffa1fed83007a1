// `npm run docs`: writes into the pages what has its source elsewhere: code from files that are compiled and run,
// tables from the option table, the error classes and the embedded broker's list of differences.
//   -- --check   writes nothing, and fails when a page differs, a block of code has no source, a link is dead, the reference
//                has a link that leads nowhere, or the sidebar of the site misses a page
//   -- --site    builds the site into dist/docs as well
//   -- --serve   serves it, and shows each change
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { install } from './install.mjs';
import { root } from './run.mjs';

await install();
const { format, resolveConfig } = await import('prettier');
const { withCode } = await import('./docs/code.mjs');
const { unreachable } = await import('./docs/order.mjs');
const { reference } = await import('./docs/reference.mjs');
const { buildSite, serveSite } = await import('./docs/site.mjs');
const { deadLinks } = await import('./docs/links.mjs');
const { monitoring } = await import('./docs/monitoring.mjs');
const { instruments, load, tables } = await import('./docs/tables.mjs');

const { check, site, serve } = parseArgs({
  options: { check: { type: 'boolean' }, site: { type: 'boolean' }, serve: { type: 'boolean' } },
}).values;
const pages = [
  ...markdown('.', false),
  ...markdown('docs', true),
  ...pagesBelow('libs'),
  ...examplePages(),
].sort();
const wrong = [];
const written = new Map();
const generated = await tables();

for (const path of pages) written.set(path, await write(path));
for (const [path, text] of Object.entries(monitoring(await load(instruments)))) await keep(path, text);
wrong.push(...deadLinks(written), ...unreachable(pages));

if (check || site || serve) {
  const { problems, write: writeReference } = await reference();
  wrong.push(...problems);
  if (site) wrong.push(...(await buildSite(written, writeReference)));
  if (serve) await serveSite(written, writeReference);
}

for (const sentence of wrong) console.error(sentence);
console.log(`${pages.length} pages, ${wrong.length} wrong`);
process.exitCode = wrong.length > 0 ? 1 : 0;

/**
 * The page as it should be; with --check it is only compared.
 *
 * @param {string} path
 */
async function write(path) {
  const text = readFileSync(join(root, path), 'utf8');
  const { page, problems } = withCode(path, withTables(text, path));
  wrong.push(...problems);
  const options = await resolveConfig(join(root, path));
  const wanted = await format(page, { ...options, parser: 'markdown' });
  if (wanted === text) return wanted;
  if (check) wrong.push(`${path} is not what its sources say: npm run docs`);
  else writeFileSync(join(root, path), wanted);
  return wanted;
}

/**
 * A file that is generated as a whole; with --check it is only compared.
 *
 * @param {string} path
 * @param {string} text
 */
async function keep(path, text) {
  const options = await resolveConfig(join(root, path));
  const wanted = await format(text, { ...options, filepath: path });
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) return;
  if (check) wrong.push(`${path} is not what its sources say: npm run docs`);
  else writeFileSync(file, wanted);
}

/**
 * Puts each generated table between `<!-- table: name -->` and `<!-- /table -->`.
 *
 * @param {string} text
 * @param {string} path
 */
function withTables(text, path) {
  return text.replace(
    /(<!-- table: ([\w-]+) -->\n).*?(<!-- \/table -->)/gs,
    (
      /** @type {string} */ _,
      /** @type {string} */ begin,
      /** @type {string} */ name,
      /** @type {string} */ end,
    ) => {
      const table = generated[name];
      if (table === undefined) wrong.push(`${path} wants the table ${name}, which nobody makes`);
      return `${begin}\n${table ?? ''}\n\n${end}`;
    },
  );
}

/** @param {string} folder @param {boolean} deep */
function markdown(folder, deep) {
  return readdirSync(join(root, folder), { recursive: deep, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) =>
      relative(root, join(root, folder, name))
        .split(sep)
        .join('/'),
    );
}

function examplePages() {
  return [...markdown('examples', false), ...pagesBelow('examples')];
}

/** @param {string} folder */
function pagesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => markdown(join(folder, name), false));
}
