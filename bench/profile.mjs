// Where the processor time of a message goes: the non-idle time of each process, from V8's sampling profiler, by what the
// code is for. Cases and contenders are those of `npm run bench`, on a private RabbitMQ; the table is in docs/performance.md.
//   node bench/profile.mjs                                  four cases, a minute
//   node bench/profile.mjs --cases rpc-64 --contender warren
//   node bench/profile.mjs --functions 20                   and the functions that take most
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from '../tools/build.mjs';
import { fail, onSignal } from '../tools/run.mjs';
import { cases, sizes } from './speed/cases.mjs';
import { measure } from './speed/measure.mjs';
import { contenders, install } from './speed/packages.mjs';
import { endAll } from './speed/process.mjs';
import { Stand } from './speed/stand.mjs';

/** @typedef {{ functionName: string, url: string, lineNumber: number }} Frame */
/** @typedef {{ nodes: { id: number, callFrame: Frame }[], samples: number[], timeDeltas: number[] }} Profile */

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: 'publish-256-transient-1,consume-256-100,rpc-1,rpc-64' },
    contender: { type: 'string', default: 'warren-amqp' },
    functions: { type: 'string', default: '0' },
  },
});
const picked = cases.filter(({ key }) => values.cases.split(',').includes(key));
const contender = contenders.find(({ key }) => key === values.contender);
if (picked.length === 0 || !contender) fail('No such case or contender: `npm run bench -- --list`.');

/** What a frame is for: the first that fits. @type {[string, (frame: Frame, module: string) => boolean][]} */
const PARTS = [
  ['garbage collection', ({ functionName }) => functionName === '(garbage collector)'],
  ['AsyncLocalStorage', ({ url }) => /async_(hooks|local_storage|context)/.test(url)],
  ['timers', ({ url }) => /^node:(internal\/)?timers/.test(url)],
  [
    'JSON, texts, buffers',
    ({ url, functionName }, module) =>
      /^node:(buffer|internal\/buffer)|codecs|content-encoding/.test(url + module) ||
      (url === '' && /^(utf8|latin1|ascii)(Slice|Write)|^(parse|stringify|byteLength)/.test(functionName)),
  ],
  [
    'frames and properties',
    (_, module) => /^(connection\/fast-path|message\/(headers|outgoing))/.test(module),
  ],
  ['Warren, all else', (_, module) => module !== ''],
  ['Nest, RxJS', ({ url }) => /@nestjs|rxjs/.test(url)],
  ['amqplib', ({ url }) => url.includes('amqplib')],
  ['the benchmark', ({ url }) => url.includes('/bench/speed/')],
  // Native code has no file: system calls above all.
  ['the socket and the event loop', ({ url }) => url === '' || url.startsWith('node:')],
  ['other', () => true],
];

/** @type {Record<string, { line: number, name: string }[]>} */
const known = {};
/** The share of the busy time that is looked at. */
const LAST = 1 / 3;

await build({ ifNeeded: true });
await install(console.log);
const folder = mkdtempSync(join(tmpdir(), 'warren-profile-'));
const stand = await Stand.start();
onSignal(() => Promise.all([endAll(), stand.stop()]));
// What is forked has the options of this process.
process.execArgv.push('--cpu-prof', `--cpu-prof-dir=${folder}`);
try {
  for (const one of picked) {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    const { cpu } = await measure(stand, sizes.full, one, contender);
    console.log(`\n${one.title}, ${contender.title}: ${cpu.toFixed(1)} µs while profiled`);
    for (const name of readdirSync(folder)) show(JSON.parse(readFileSync(join(folder, name), 'utf8')));
  }
} finally {
  await stand.stop();
  rmSync(folder, { recursive: true });
}

/** @param {Profile} profile */
function show({ nodes, samples, timeDeltas }) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  /** @param {number} id */
  const isIdle = (id) => frames.get(id)?.functionName === '(idle)';
  const total = samples.reduce((sum, id, index) => sum + (isIdle(id) ? 0 : timeDeltas[index]), 0);
  /** @type {Map<string, number>} */
  const parts = new Map();
  /** @type {Map<string, number>} */
  const functions = new Map();
  let at = 0;
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id);
    if (!frame || isIdle(id)) continue;
    at += timeDeltas[index];
    // What comes before is start and warm-up.
    if (at < total * (1 - LAST)) continue;
    const module = moduleOf(frame);
    const part = PARTS.find(([, fits]) => fits(frame, module))?.[0] ?? '';
    parts.set(part, (parts.get(part) ?? 0) + timeDeltas[index]);
    const name = `${frame.functionName || '(anonymous)'} ${module || frame.url.split('/').slice(-2).join('/')}`;
    functions.set(name, (functions.get(name) ?? 0) + timeDeltas[index]);
  }
  const busy = [...functions.values()].reduce((sum, each) => sum + each, 0);
  const serves = [...functions.keys()].some((name) => name.includes('rpc/server'));
  console.log(`  ${serves ? 'server' : 'client or consumer'}`);
  for (const [part, time] of [...parts].sort((a, b) => b[1] - a[1])) line(part, time);
  const most = [...functions].sort((a, b) => b[1] - a[1]).slice(0, Number(values.functions));
  for (const [name, time] of most) line(`  ${name}`, time);

  /** @param {string} what @param {number} time */
  function line(what, time) {
    console.log(`    ${((100 * time) / busy).toFixed(1).padStart(5)} %  ${what}`);
  }
}

/** Which module of @warren/amqp a frame is in: in the one file, the name of each stands above its code. @param {Frame} frame */
function moduleOf({ url, lineNumber }) {
  const [, single] = url.split('/libs/amqp/dist/esm/');
  if (single) return single;
  if (!url.endsWith('/libs/amqp/dist/cjs/amqp.js')) return url.includes('/libs/nestjs/dist/') ? 'nestjs' : '';
  return modulesOf(fileURLToPath(url)).findLast(({ line }) => line <= lineNumber)?.name ?? 'index.js';
}

/** @param {string} path */
function modulesOf(path) {
  known[path] ??= readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text, line) => (/^\/\/ [\w/-]+\.js$/.test(text) ? [{ line, name: text.slice(3) }] : []));
  return known[path];
}
