// The sample programs with all that they import in one file each. Most of the start of a Nest application is finding and
// reading a thousand small files; the demo and its tests start such programs by the dozen, and in this form a start takes
// a third of the time. The packages that users get, and what `npm run producer` starts, are not bundled.
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alone } from './lock.mjs';
import { root } from './run.mjs';

const programs = ['producer', 'consumer'];

/** What Nest loads only when an application uses it, and these do not. */
const LATER = [/^@nestjs\/(websockets|platform-\w+)(\/|$)/, /^class-(transformer|validator)$/];

/** @param {string} name of a sample program: where its bundle is */
export const bundleOf = (name) => join(root, 'dist', 'bundles', name, 'main.js');

/** Makes the bundles of programs that are built, where they are older than what they contain. */
export async function bundle() {
  if (programs.every(isFresh)) return;
  await alone('build', async () => {
    const { rolldown } = await import('rolldown');
    for (const name of programs.filter((each) => !isFresh(each))) {
      const made = await rolldown({
        input: join(root, 'dist', 'apps', name, 'main.js'),
        platform: 'node',
        treeshake: false,
        logLevel: 'silent',
        external: LATER,
      });
      const staged = join(root, 'dist', 'bundles', `${name}.${process.pid}`);
      mkdirSync(staged, { recursive: true });
      await made.write({
        file: join(staged, 'main.js'),
        format: 'esm',
        codeSplitting: false,
        keepNames: true,
      });
      await made.close();
      rmSync(join(staged, '..', name), { recursive: true, force: true });
      renameSync(staged, join(staged, '..', name));
    }
  });
}

/**
 * Whether a bundle is newer than the program, the libraries and the packages in it.
 *
 * @param {string} name
 */
function isFresh(name) {
  const inputs = [`dist/apps/${name}/main.js`, 'node_modules/.package-lock.json'];
  for (const each of ['amqp', 'nestjs']) inputs.push(`libs/${each}/dist/esm/index.js`);
  const made = time(bundleOf(name));
  return inputs.every((each) => made > time(join(root, each)));
}

/** @param {string} path */
const time = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await bundle();
