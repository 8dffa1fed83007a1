// `npm run matrix`: the tests and the demo with the other supported versions of Node, the tests that talk to a broker on
// each version of RabbitMQ, and with the newest amqplib. Node and amqplib come from npm into folders outside the tree. What does not depend on Node (lint, types, architecture rules) is left to `npm run check`.
//   --node 22   only that Node        --quick   demo and packages only
//   --rabbitmq 4.0   only that RabbitMQ         --amqplib   only the newest amqplib
//   --only <part of a path>   only those tests
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { suites } from './rabbitmq-suite.mjs';
import { fail, onSignal, root, run } from './run.mjs';

const { values } = parseArgs({
  options: {
    node: { type: 'string' },
    rabbitmq: { type: 'string' },
    amqplib: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const { quick } = values;
const all = values.node === undefined && values.rabbitmq === undefined && !values.amqplib;
const versions = values.node !== undefined ? [values.node] : all ? ['22', '24'] : [];
const lines = values.rabbitmq !== undefined ? [values.rabbitmq] : all && !quick ? [...suites.keys()] : [];
const talking = 'contract,e2e,nest11,client,interop';
const only = values.only === undefined ? [] : ['--only', values.only];
const projects = quick ? 'package' : 'unit,contract,e2e,nest11,interop,package';

onSignal(() => {});
await build({ ifNeeded: true });
const rows = [];
for (const version of versions) {
  const node = await get(version);
  rows.push(await take(node, 'tests', ['tools/test.mjs', '--project', projects, ...only]));
  rows.push(await take(node, 'demo', ['tools/demo.mjs']));
}
for (const line of lines) {
  const args = ['tools/test.mjs', '--project', talking, '--rabbitmq', line, ...only];
  rows.push(await take(process.execPath, `on RabbitMQ ${line}`, args));
}
if (values.amqplib || (all && !quick)) {
  const home = await newestAmqplib();
  const args = ['tools/test.mjs', '--project', talking, ...only];
  rows.push(await take(process.execPath, 'newest amqplib', args, { WARREN_AMQPLIB: home }));
}
console.log('\nOther versions');
for (const { version, name, code, seconds } of rows) {
  console.log(
    `  ${code === 0 ? 'ok    ' : 'FAILED'}  Node ${version}  ${name.padEnd(16)} ${seconds.toFixed(0).padStart(4)} s`,
  );
}
process.exitCode = rows.every(({ code }) => code === 0) ? 0 : 1;

/**
 * Path of that Node's program; asks npm for it the first time.
 *
 * @param {string} version
 */
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

/** Folder of the newest amqplib, fetched each time. */
async function newestAmqplib() {
  const folder = join(tmpdir(), 'warren-matrix', 'amqplib');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const { code, output } = await run('npm', ['install', 'amqplib@latest'], { cwd: folder, quiet: true });
  if (code !== 0) fail(`npm install amqplib@latest failed:\n${output}`);
  return join(folder, 'node_modules', 'amqplib');
}

/** @param {string} node @param {string} name @param {readonly string[]} args @param {object} more */
async function take(node, name, args, more = {}) {
  // First on the PATH, so that programs started on the way use it as well.
  const env = { ...process.env, ...more, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
  const number = (await run(node, ['--version'], { quiet: true })).output.trim().slice(1);
  console.log(`\n== Node ${number}: ${args.join(' ')}`);
  const { code, seconds } = await run(node, args, { cwd: root, env });
  return { version: number.padEnd(8), name, code, seconds };
}
