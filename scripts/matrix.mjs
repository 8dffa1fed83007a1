// `npm run matrix`: the tests and the demo with the other supported versions of Node, which come from npm into a
// folder outside the tree. What does not depend on Node (lint, types, house rules) is left to `npm run check`.
//   --node 22   only that one         --quick   demo and packages only
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { build } from './build.mjs';
import { fail, onSignal, root, run } from './run.mjs';

const [chosen, quick] = [process.argv[process.argv.indexOf('--node') + 1], process.argv.includes('--quick')];
const versions = process.argv.includes('--node') ? [chosen] : ['22', '24'];
const projects = quick ? 'package' : 'unit,contract,e2e,nest11,interop,package';

onSignal(() => {});
await build({ ifNeeded: true });
const rows = [];
for (const version of versions) {
  const node = await get(version);
  rows.push(await take(version, node, 'tests', ['scripts/test.mjs', '--project', projects]));
  rows.push(await take(version, node, 'demo', ['scripts/demo.mjs']));
}
console.log('\nOther versions of Node');
for (const { version, name, code, seconds } of rows) {
  console.log(
    `  ${code === 0 ? 'ok    ' : 'FAILED'}  Node ${version}  ${name.padEnd(6)} ${seconds.toFixed(0).padStart(4)} s`,
  );
}
process.exitCode = rows.every(({ code }) => code === 0) ? 0 : 1;

/** Path of that Node's program; asks npm for it the first time. */
async function get(version) {
  const folder = join(tmpdir(), 'warren-matrix', `node${version}`);
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const node = join(folder, 'node_modules', 'node', 'bin', platform === 'win' ? 'node.exe' : 'node');
  if (existsSync(node)) return node;
  console.log(`getting Node ${version} from npm ...`);
  mkdirSync(folder, { recursive: true });
  // Its own package.json: npm would otherwise look for one above, and find somebody else's.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const name = `node@npm:node-${platform}-${process.arch}@${version}`;
  const { code, output } = await run('npm', ['install', name], { cwd: folder, quiet: true });
  if (code !== 0 || !existsSync(node)) fail(`npm install ${name} failed:\n${output}`);
  return node;
}

async function take(version, node, name, args) {
  // First on the PATH, so that programs started on the way use it as well.
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
  const number = (await run(node, ['--version'], { quiet: true })).output.trim().slice(1);
  console.log(`\n== Node ${number}: ${args.join(' ')}`);
  const { code, seconds } = await run(node, args, { cwd: root, env });
  return { version: number.padEnd(8), name, code, seconds };
}
