// How fast the embedded broker is, and whether what a message costs grows with what is in it: messages waiting,
// bindings, queues. The broker, one publisher (confirms, 1000 in flight) and one consumer (prefetch 1000, an ack for
// each message) are processes of their own; the clients are bare amqplib, so that what is measured is the broker.
//   node bench/embedded.mjs [--quick] [--only text] [--rounds 3] [--broker index.js of another build] [--profile folder]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';

const SIZE = 256;
const IN_FLIGHT = 1000;
const roles = { broker, publisher, consumer };
const [, , role] = process.argv;
if (process.send && role in roles) await roles[role]();
else await main();

// --- the three processes -------------------------------------------------------------------------------------------

async function broker() {
  const { EmbeddedBroker } = await import(process.argv[3]);
  const running = await EmbeddedBroker.start();
  process.on('message', (question) => {
    if (question === 'cpu') process.send({ cpu: cpu(), memory: process.memoryUsage.rss() });
    else void running.close().then(() => process.disconnect());
  });
  process.send({ url: running.url });
}

function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Publishes numbered messages, each confirmed; says 'ready', starts when told, answers when all are confirmed. */
async function publisher() {
  const { url, exchange, keys, headers, first, count } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  process.send({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  let next = 0;
  let confirmed = 0;
  await new Promise((resolve, reject) => {
    const settled = (error) => {
      if (error) reject(error);
      if (++confirmed === count) resolve();
      else if (next - confirmed <= IN_FLIGHT / 2) fill();
    };
    const options = { headers };
    const fill = () => {
      for (; next < count && next - confirmed < IN_FLIGHT; next += 1) {
        const body = Buffer.allocUnsafe(SIZE);
        body.writeUInt32BE(first + next, 0);
        channel.publish(exchange, keys[next % keys.length], body, options, settled);
      }
    };
    fill();
  });
  process.send({ kind: 'done', cpu: cpu() - before });
  // First the channel: amqplib may send acks after the close of the connection.
  await channel.close();
  await connection.close();
  process.disconnect();
}

/** Consumes numbered messages, acks each, and answers when every one of them has come exactly once. */
async function consumer() {
  const { url, queues, first, count } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(Math.max(10, Math.ceil(IN_FLIGHT / queues.length)));
  const seen = new Uint8Array(count);
  let come = 0;
  let before = 0;
  const all = new Promise((resolve, reject) => {
    const take = (message) => {
      const number = message.content.readUInt32BE(0) - first;
      // What waits behind the last one is given back when the connection closes.
      if (come === count) return;
      if (number < 0 || number >= count || seen[number])
        reject(new Error(`message ${number} is not expected`));
      seen[number] = 1;
      channel.ack(message);
      if (++come === count) resolve();
    };
    process.send({ kind: 'ready' });
    process.once('message', () => {
      before = cpu();
      for (const queue of queues) channel.consume(queue, take).catch(reject);
    });
  });
  await all;
  process.send({ kind: 'done', cpu: cpu() - before });
  // The channel first: amqplib may send acks that are under way after a close of the connection.
  await channel.close();
  await connection.close();
  process.disconnect();
}

// --- cases ---------------------------------------------------------------------------------------------------------

/** Each case prepares what is there before, and says where messages go and where they come out. */
function cases({ waiting, bindings, queues }) {
  const bound = (type, key, table = () => ({}), headers) => ({
    name: `${bindings} bindings on a ${type} exchange`,
    async prepare({ channel }) {
      await channel.assertExchange(type, type);
      await channel.assertQueue('other');
      await channel.assertQueue('in');
      const bind = (queue, n) => channel.bindQueue(queue, type, key(n), table(n));
      const others = Array.from({ length: bindings }, (_, n) => n);
      await timed(`bind ${bindings}`, () => Promise.all(others.map((n) => bind('other', n))));
      await bind('in', bindings);
      return { exchange: type, keys: [key(bindings)], headers, queues: ['in'] };
    },
    after: ({ channel }) => timed(`delete a queue with ${bindings}`, () => channel.deleteQueue('other')),
  });
  return [
    { name: 'an empty queue', prepare: (stand) => plain(stand, 1) },
    {
      name: `${waiting} messages waiting`,
      async prepare(stand) {
        const way = await plain(stand, 1);
        await run(stand, { ...way, first: 0, count: waiting }, ['publisher']);
        return { ...way, waiting };
      },
    },
    bound('topic', (n) => `shop.${n}.order.#`),
    bound('direct', (n) => `key ${n}`),
    bound(
      'headers',
      () => '',
      (n) => ({ kind: 'order', id: n }),
      { kind: 'order', id: bindings },
    ),
    { name: `${queues} queues with a consumer each`, prepare: (stand) => plain(stand, queues) },
  ];
}

async function plain({ channel }, count) {
  const queues = Array.from({ length: count }, (_, n) => `in ${n}`);
  for (const queue of queues) await channel.assertQueue(queue);
  return { exchange: '', keys: queues, queues };
}

// --- running -------------------------------------------------------------------------------------------------------

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      rounds: { type: 'string' },
      broker: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const { quick, profile } = values;
  const sizes = quick
    ? { count: 10_000, waiting: 10_000, bindings: 1000, queues: 100 }
    : { count: 100_000, waiting: 100_000, bindings: 10_000, queues: 500 };
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  const build = values.broker ? pathToFileURL(values.broker).href : '@warren/embedded';
  console.log(
    `${sizes.count} messages of ${SIZE} B, best of ${rounds}; ${cpus().length} cores, Node ${process.version}`,
  );
  const rows = {};
  for (const one of cases(sizes).filter(({ name }) => name.includes(values.only))) {
    const tries = [];
    for (let n = 0; n < rounds; n += 1) tries.push(await measure(one, sizes.count, build, profile));
    rows[one.name] = tries.sort((a, b) => b['messages/s'] - a['messages/s'])[0];
  }
  console.table(rows);
}

async function measure({ name, prepare, after }, count, build, profile) {
  const stand = await start(build, profile);
  const way = await prepare(stand);
  const first = way.waiting ?? 0;
  const used = await run(stand, { ...way, publishFrom: first, count }, ['publisher', 'consumer']);
  const { cpu: spent, memory } = await stand.cpu();
  await after?.(stand);
  await stand.stop();
  const each = (microseconds) => Number((microseconds / count).toFixed(1));
  const row = {
    'messages/s': Math.round(count / used.seconds),
    'broker µs/message': each(spent - used.before),
    'publisher µs': each(used.publisher),
    'consumer µs': each(used.consumer),
    'broker MB': Math.round(memory / 1e6),
  };
  console.log(`  ${name}: ${row['messages/s']} messages/s, broker ${row['broker µs/message']} µs a message`);
  return row;
}

async function run(stand, way, who) {
  const children = [];
  for (const name of who) {
    const first = name === 'publisher' ? (way.publishFrom ?? 0) : 0;
    const job = JSON.stringify({ url: stand.url, ...way, first });
    const child = fork(fileURLToPath(import.meta.url), [name, job]);
    children.push({ name, child, done: answer(child, 'done') });
    await answer(child, 'ready');
  }
  const used = { before: (await stand.cpu()).cpu };
  const begun = performance.now();
  for (const { child } of children) child.send('go');
  for (const { name, done } of children) used[name] = (await done).cpu;
  used.seconds = (performance.now() - begun) / 1000;
  await Promise.all(children.map(({ child }) => child.exitCode ?? once(child, 'exit')));
  return used;
}

/** The message of that kind; rejects when the process ends without it. */
function answer(child, kind) {
  return new Promise((resolve, reject) => {
    child.on('message', (message) => message.kind === kind && resolve(message));
    child.once('exit', (code) => reject(new Error(`a client ended with ${code} before it was ${kind}`)));
  });
}

async function start(build, profile) {
  const execArgv = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
  const child = fork(fileURLToPath(import.meta.url), ['broker', build], { execArgv });
  const ask = async (question) => {
    const [reply] = await Promise.all([once(child, 'message').then(([one]) => one), child.send(question)]);
    return reply;
  };
  const [{ url }] = await once(child, 'message');
  const connection = await connect(url, { noDelay: true });
  return {
    url,
    channel: await connection.createChannel(),
    cpu: () => ask('cpu'),
    async stop() {
      await connection.close();
      child.send('close');
      await once(child, 'exit');
    },
  };
}

async function timed(what, work) {
  const begun = performance.now();
  await work();
  console.log(`  ${what}: ${Math.round(performance.now() - begun)} ms`);
}
