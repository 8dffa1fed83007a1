// `npm run producer -- ...` and `npm run consumer -- ...`: installs and builds what is missing, then becomes the
// application. It runs in this very process: a signal reaches it, its exit code is ours, nothing stays behind.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { fail, root } from './run.mjs';

const [name, ...rest] = process.argv.slice(2);
const main = join(root, 'dist', 'apps', name ?? '', 'main.js');
if (!existsSync(join(root, 'apps', name ?? '', 'src', 'main.ts'))) {
  fail(`Which application? node tools/app.mjs producer|consumer <pattern> ...`);
}
await build({ ifNeeded: true });
process.argv = [process.argv[0], main, ...rest];
await import(pathToFileURL(main).href);
