// `npm run producer -- ...`, `npm run consumer -- ...` and `npm run broker -- ...`: installs and builds what is missing,
// then becomes the application, or the embedded broker. It runs in this very process: a signal reaches it, its exit code
// is ours, nothing stays behind.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildToRun } from './build.mjs';
import { fail, root } from './run.mjs';

const programs = {
  producer: 'dist/apps/producer/main.js',
  consumer: 'dist/apps/consumer/main.js',
  broker: 'libs/embedded/dist/esm/bin.js',
};

const [name, ...rest] = process.argv.slice(2);
if (!(name in programs)) fail(`Which program? node tools/app.mjs ${Object.keys(programs).join('|')} ...`);
const main = join(root, programs[/** @type {keyof typeof programs} */ (name)]);
await buildToRun();
process.argv = [process.argv[0], main, ...rest];
await import(pathToFileURL(main).href);
