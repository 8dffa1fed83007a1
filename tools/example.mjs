// `npm run example -- shop`: starts one of the applications in examples/, as `npm start` in its folder does. Flags go to it.
//   --test: runs its tests instead
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { install } from './install.mjs';
import { fail, onSignal, root, run } from './run.mjs';

const names = readdirSync(join(root, 'examples')).sort();
const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) fail(`Which one? npm run example -- ${names.join('|')}`);
await install();
onSignal(() => {});
const args = rest[0] === '--test' ? ['test', '--', ...rest.slice(1)] : ['start', '--', ...rest];
const { code } = await run('npm', ['--silent', ...args], { cwd: join(root, 'examples', name) });
process.exitCode = code;
