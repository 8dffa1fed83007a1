// `npm run hops`: how much of @warren/amqp one delivery, one publish and one call go through, counted by V8 on the embedded
// broker after a warm-up. Ends with a table of files and functions.
//   -- --list      names the functions, file by file
import { Session } from 'node:inspector/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build, modulesOf } from './build.mjs';
import { root } from './run.mjs';

const { values } = parseArgs({ options: { list: { type: 'boolean', default: false } } });
/** How often each is done before it is counted, so that what happens only once is over. */
const WARM_UP = 500;
/** Time in which what was begun ends, in ms. */
const SETTLED = 50;
const DIST = '/dist/modules/amqp/';
const QUEUE = 'hops';

await build({ ifNeeded: true });
const { Broker } = await import(pathToFileURL(join(modulesOf('amqp'), 'index.js')).href);
const { EmbeddedBroker } = await import('@warren/embedded');
const { connect } = createRequire(join(root, 'libs/amqp/package.json'))('amqplib');

const server = await EmbeddedBroker.start();
const connection = await connect(server.url);
const channel = await connection.createConfirmChannel();
await channel.assertQueue(`${QUEUE}.out`);
const broker = new Broker({ url: server.url });
/** @type {(value?: unknown) => void} */
let handled = () => {};
broker.register({
  kind: 'consume',
  id: 'Hops.take',
  patterns: [QUEUE],
  options: {},
  handle: () => handled(),
});
broker.register({
  kind: 'rpc',
  id: 'Hops.reply',
  patterns: [`${QUEUE}.call`],
  options: {},
  handle: (/** @type {{ payload: unknown }} */ { payload }) => payload,
});
await broker.open();

const body = Buffer.from('{"id":1}');
const cases = {
  'one delivery': () =>
    new Promise((resolve) => {
      handled = resolve;
      channel.sendToQueue(QUEUE, body, { contentType: 'application/json' });
    }),
  'one publish': () => broker.send(`${QUEUE}.out`, { id: 1 }),
  'one call, both sides': () => broker.request(`${QUEUE}.call`, { id: 1 }),
};

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
const idle = await counted(async () => undefined);
const rows = [];
for (const [name, once] of Object.entries(cases)) {
  for (let n = 0; n < WARM_UP; n++) await once();
  const all = await countedOften(once);
  rows.push({ name, files: new Set(all.map(({ file }) => file)).size, functions: all.length });
  if (values.list) show(name, all);
}
console.log(`with nothing to do       ${String(idle.length).padStart(14)} functions`);
for (const { name, files, functions } of rows)
  console.log(
    `${name.padEnd(22)} ${String(files).padStart(3)} files ${String(functions).padStart(4)} functions`,
  );

await broker.close();
await connection.close();
await server.close();
session.disconnect();

/**
 * What runs each time: a timer that falls into one counting is no part of it.
 *
 * @param {() => unknown} work
 */
async function countedOften(work) {
  const [first, ...others] = [await counted(work), await counted(work), await counted(work)];
  return first.filter((one) =>
    others.every((all) => all.some(({ file, name }) => file === one.file && name === one.name)),
  );
}

/**
 * The functions of @warren/amqp that ran in `work` and shortly after it, when the last ack or confirm is on its way.
 *
 * @param {() => unknown} work
 */
async function counted(work) {
  await pause(SETTLED);
  await session.post('Profiler.takePreciseCoverage');
  await work();
  await pause(SETTLED);
  const { result } = await session.post('Profiler.takePreciseCoverage');
  return result
    .filter(({ url }) => url.includes(DIST))
    .flatMap(({ url, functions }) => {
      const file = url.slice(url.indexOf(DIST) + DIST.length).replace(/\.js$/, '.ts');
      return functions
        .filter(({ ranges }) => ranges[0].count > 0)
        .map(({ functionName, ranges }) => ({ file, name: functionName || `(${ranges[0].startOffset})` }));
    });
}

/** @param {string} name @param {readonly { file: string, name: string }[]} all */
function show(name, all) {
  console.log(`\n${name}`);
  for (const file of new Set(all.map((each) => each.file))) {
    const names = all.filter((each) => each.file === file).map((each) => each.name);
    console.log(`  ${file}: ${names.join(', ')}`);
  }
  console.log('');
}
