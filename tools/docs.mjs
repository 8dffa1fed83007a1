// `npm run docs`: writes into the pages what has its source elsewhere: code from files that are compiled and run,
// tables from the option table, the error classes and the embedded broker's list of differences.
//   -- --check   writes nothing, and fails when a page differs, a block of code has no source, or a link is dead
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { install } from './install.mjs';
import { root } from './run.mjs';

await install();
const { format, resolveConfig } = await import('prettier');
const { withCode } = await import('./docs/code.mjs');
const { deadLinks } = await import('./docs/links.mjs');
const { monitoring } = await import('./docs/monitoring.mjs');
const { instruments, load, tables } = await import('./docs/tables.mjs');

const check = process.argv.includes('--check');
const pages = [...markdown('.', false), ...markdown('docs', true), ...libraryPages()].sort();
const wrong = [];
const written = new Map();
const generated = await tables();

for (const path of pages) written.set(path, await write(path));
for (const [path, text] of Object.entries(monitoring(await load(instruments)))) await keep(path, text);
wrong.push(...deadLinks(written));

for (const sentence of wrong) console.error(sentence);
console.log(`${pages.length} pages, ${wrong.length} wrong`);
process.exitCode = wrong.length > 0 ? 1 : 0;

/** The page as it should be; with --check it is only compared. */
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

/** A file that is generated as a whole; with --check it is only compared. */
async function keep(path, text) {
  const options = await resolveConfig(join(root, path));
  const wanted = await format(text, { ...options, filepath: path });
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) return;
  if (check) wrong.push(`${path} is not what its sources say: npm run docs`);
  else writeFileSync(file, wanted);
}

/** Puts each generated table between `<!-- table: name -->` and `<!-- /table -->`. */
function withTables(text, path) {
  return text.replace(/(<!-- table: ([\w-]+) -->\n).*?(<!-- \/table -->)/gs, (_, begin, name, end) => {
    const table = generated[name];
    if (table === undefined) wrong.push(`${path} wants the table ${name}, which nobody makes`);
    return `${begin}\n${table ?? ''}\n\n${end}`;
  });
}

function markdown(folder, deep) {
  return readdirSync(join(root, folder), { recursive: deep, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) =>
      relative(root, join(root, folder, name))
        .split(sep)
        .join('/'),
    );
}

function libraryPages() {
  return readdirSync(join(root, 'libs')).flatMap((name) => markdown(join('libs', name), false));
}
