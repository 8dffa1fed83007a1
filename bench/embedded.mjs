// How fast the embedded broker is, beside RabbitMQ on the same machine, and whether what a message costs grows with what is
// in it: messages waiting, bindings, queues. The broker, one publisher (confirms, 1000 in flight) and one consumer (prefetch
// 1000, an ack for each message) are processes of their own; the clients are bare amqplib, so that what is measured is the
// broker, and in one case @warren/amqp, which leaves the broker more of the machine. Then how much memory a waiting message takes, and what is left of it when all were consumed.
//   node bench/embedded.mjs [--quick] [--only text] [--rounds 3] [--rabbitmq 4.3] [--broker index.js of another build] [--profile folder]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';
import { startRabbitMQ } from '../tools/rabbitmq.mjs';
import { onSignal } from '../tools/run.mjs';

const SIZE = 256;
const IN_FLIGHT = 1000;
const CALLS = 200;
const MB = 1e6;
/** Microseconds that /proc counts in. */
const TICK = 10_000;
let vhosts = 0;
const REPLIES = 'amq.rabbitmq.reply-to';
const roles = { broker, publisher, consumer, warrenPublisher, warrenConsumer, caller, server };
const [, , role] = process.argv;
if (process.send && role in roles) await roles[role]();
else await main();

// --- the three processes -------------------------------------------------------------------------------------------

async function broker() {
  const { EmbeddedBroker } = await import(process.argv[3]);
  const running = await EmbeddedBroker.start({ memoryLimit: Infinity });
  process.on('message', (question) => {
    if (question === 'collect') globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    if (question !== 'close') process.send?.({ cpu: cpu(), memory: rss, held: heapUsed + external });
    else void running.close().then(() => process.disconnect());
  });
  process.send?.({ url: running.url });
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
  process.send?.({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  let next = 0;
  let confirmed = 0;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
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
  process.send?.({ kind: 'done', cpu: cpu() - before });
  // First the channel: amqplib may send acks after the close of the connection.
  await channel.close();
  await connection.close();
  process.disconnect();
}

/** Calls, 200 at a time, and says what a call took. */
async function caller() {
  const { url, count } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  process.send?.({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  let asked = 0;
  let told = 0;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    const ask = () => {
      if (asked++ < count) channel.sendToQueue('calls', Buffer.alloc(SIZE), { replyTo: REPLIES });
    };
    const heard = () => (++told === count ? resolve() : ask());
    channel.consume(REPLIES, heard, { noAck: true }).then(() => {
      for (let n = 0; n < CALLS; n += 1) ask();
    });
  });
  process.send?.({ kind: 'done', cpu: cpu() - before });
  await channel.close();
  await connection.close();
  process.disconnect();
}

/** Answers calls. */
async function server() {
  const { url, count } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(IN_FLIGHT);
  process.send?.({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  let done = 0;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    const answer = (message) => {
      channel.sendToQueue(message.properties.replyTo, message.content);
      channel.ack(message);
      if (++done === count) resolve();
    };
    void channel.consume('calls', answer);
  });
  process.send?.({ kind: 'done', cpu: cpu() - before });
  await channel.close();
  await connection.close();
  process.disconnect();
}

/** Consumes numbered messages, acks each, and answers when every one has come once; with `retry` each is rejected at first. */
async function consumer() {
  const { url, queues, first, count, retry } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(Math.max(10, Math.ceil(IN_FLIGHT / queues.length)));
  const seen = new Uint8Array(count);
  let come = 0;
  let before = 0;
  const all = new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    const take = (message) => {
      if (retry && !message.properties.headers['x-death']) return void channel.nack(message, false, false);
      const number = message.content.readUInt32BE(0) - first;
      // What waits behind the last one is given back when the connection closes.
      if (come === count) return;
      if (number < 0 || number >= count || seen[number])
        reject(new Error(`message ${number} is not expected`));
      seen[number] = 1;
      channel.ack(message);
      if (++come === count) resolve();
    };
    process.send?.({ kind: 'ready' });
    process.once('message', () => {
      before = cpu();
      for (const queue of queues) channel.consume(queue, take).catch(reject);
    });
  });
  await all;
  process.send?.({ kind: 'done', cpu: cpu() - before });
  // The channel first: amqplib may send acks that are under way after a close of the connection.
  await channel.close();
  await connection.close();
  process.disconnect();
}

async function warrenPublisher() {
  const { url, keys, count } = JSON.parse(process.argv[3]);
  const { Broker, SILENT } = await import('@warren/amqp');
  const client = new Broker({ url, service: 'bench', logger: SILENT });
  await client.open();
  process.send?.({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  const body = Buffer.alloc(SIZE);
  let sent = 0;
  const flow = async () => {
    while (sent++ < count) await client.send(keys[0], body);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, flow));
  process.send?.({ kind: 'done', cpu: cpu() - before });
  await client.close();
  process.disconnect();
}

async function warrenConsumer() {
  const { url, queues, count } = JSON.parse(process.argv[3]);
  const { Broker, SILENT } = await import('@warren/amqp');
  const client = new Broker({ url, service: 'bench', logger: SILENT, prefetch: IN_FLIGHT });
  let before = 0;
  let taken = 0;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    const handle = () => void (++taken === count && resolve());
    const options = /** @type {const} */ ({ declare: 'skip', retry: false });
    client.register({ kind: 'consume', id: 'bench', patterns: queues, options, handle });
    client.open().then(() => process.send?.({ kind: 'ready' }), reject);
    process.once('message', () => void (before = cpu()));
  });
  process.send?.({ kind: 'done', cpu: cpu() - before });
  await client.close();
  process.disconnect();
}

// --- cases ---------------------------------------------------------------------------------------------------------

/** Each case prepares what is there before, and says where messages go and where they come out. */
function cases({ waiting, bindings, queues }) {
  /** @type {(type: string, key: (n: number) => string, table?: (n: number) => object, headers?: object) => any} */
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
    { name: 'published and consumed', prepare: (stand) => plain(stand, 1) },
    {
      name: 'published and consumed by @warren/amqp',
      who: ['warrenPublisher', 'warrenConsumer'],
      prepare: (stand) => plain(stand, 1),
    },
    { name: 'published', who: ['publisher'], prepare: (stand) => plain(stand, 1) },
    {
      name: 'consumed',
      who: ['consumer'],
      async prepare(stand, count) {
        const way = await plain(stand, 1);
        await run(stand, { ...way, count }, ['publisher']);
        return way;
      },
    },
    {
      name: 'calls and replies',
      who: ['server', 'caller'],
      prepare: ({ channel }) => channel.assertQueue('calls'),
    },
    {
      name: 'rejected, 10 ms later consumed',
      async prepare({ channel }) {
        const back = { deadLetterExchange: '', deadLetterRoutingKey: 'retried' };
        await channel.assertQueue('wait', { ...back, messageTtl: 10 });
        await channel.assertQueue('retried', { ...back, deadLetterRoutingKey: 'wait' });
        return { exchange: '', keys: ['retried'], queues: ['retried'], retry: true };
      },
    },
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
      rabbitmq: { type: 'string' },
      broker: { type: 'string' },
      profile: { type: 'string' },
    },
  });
  const { quick, profile, rabbitmq } = values;
  const sizes = quick
    ? { count: 10_000, waiting: 10_000, bindings: 1000, queues: 100, held: 100_000 }
    : { count: 100_000, waiting: 100_000, bindings: 10_000, queues: 500, held: 1_000_000 };
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  const build = values.broker ? pathToFileURL(values.broker).href : '@warren/embedded';
  const processor = `${cpus().length} x ${cpus()[0].model}`;
  console.log(
    `${sizes.count} messages of ${SIZE} B, best of ${rounds}; ${processor}, Node ${process.version}`,
  );
  console.log(`${new Date().toISOString().slice(0, 10)}, load ${loadavg()[0].toFixed(1)}`);
  const real = rabbitmq === undefined ? undefined : await startRabbitMQ({ line: rabbitmq });
  onSignal(() => real?.stop());
  try {
    const rows = {};
    for (const one of cases(sizes).filter(({ name }) => name.includes(values.only))) {
      rows[one.name] = await compared(one, sizes.count, rounds, () => start(build, profile), real);
    }
    console.table(rows);
  } finally {
    await real?.stop();
  }
  if ('waiting in memory'.includes(values.only)) await waiting(await start(build, profile), sizes.held);
}

/** One case on both brokers in turn, the best of each, and how many times as many messages the embedded one takes. */
async function compared(one, count, rounds, embedded, real) {
  const best = (tries) => tries.sort((a, b) => b['messages/s'] - a['messages/s'])[0];
  /** @type {any[][]} */
  const [ours, theirs] = [[], []];
  for (let n = 0; n < rounds; n += 1) {
    ours.push(await measure(one, count, await embedded()));
    if (real) theirs.push(await measure(one, count, await standOf(real)));
  }
  const row = best(ours);
  if (!real) return row;
  const other = best(theirs);
  return {
    ...row,
    'RabbitMQ messages/s': other['messages/s'],
    'RabbitMQ µs/message': other['broker µs/message'],
    ratio: Number((row['messages/s'] / other['messages/s']).toFixed(2)),
  };
}

/**
 * @param {{ name: string, prepare: (stand: any, count: number) => Promise<any>, after?: (stand: any) => Promise<unknown>,
 *   who?: string[] }} one
 */
async function measure({ name, prepare, after, who = ['publisher', 'consumer'] }, count, stand) {
  const way = await prepare(stand, count);
  const first = way.waiting ?? 0;
  const used = await run(stand, { ...way, publishFrom: first, count }, who);
  const { cpu: spent, memory } = await stand.cpu();
  await after?.(stand);
  await stand.stop();
  const each = (microseconds) => Number((microseconds / count).toFixed(1));
  const row = {
    'messages/s': Math.round(count / used.seconds),
    'broker µs/message': each(spent - used.before),
    'clients µs': each(who.reduce((sum, role) => sum + used[role], 0)),
    'broker MB': Math.round(memory / MB),
  };
  console.log(
    `  ${name} (${stand.name}): ${row['messages/s']} messages/s, broker ${row['broker µs/message']} µs a message`,
  );
  return row;
}

/** What messages take that wait in one queue, beyond their bodies, and what is left of it after all were consumed. */
async function waiting(stand, count) {
  const way = await plain(stand, 1);
  const before = await stand.ask('collect');
  const filled = await run(stand, { ...way, count }, ['publisher']);
  const full = await stand.ask('collect');
  const beyond = (full.held - before.held) / count - SIZE;
  console.log(
    `${count} messages of ${SIZE} B wait, published at ${Math.round(count / filled.seconds)}/s: ${Math.round(beyond)} B each beyond their bodies`,
  );
  const used = await run(stand, { ...way, count }, ['consumer']);
  const drained = await stand.ask('look');
  console.log(`  consumed at ${Math.round(count / used.seconds)}/s`);
  let empty;
  // What the engine collects it gives back to the system a few seconds later.
  for (let n = 0; n < 5; n += 1) {
    await new Promise((/** @type {(value?: unknown) => void} */ resolve) => setTimeout(resolve, 2000));
    empty = await stand.ask('collect');
  }
  const states = { 'at first': before, full, drained, '10 s later': empty };
  for (const [when, { held, memory }] of Object.entries(states))
    console.log(`  ${when}: ${Math.round(held / MB)} MB in use, ${Math.round(memory / MB)} MB resident`);
  await stand.stop();
}

async function run(stand, way, who) {
  /** @type {{ name: string, child: import('node:child_process').ChildProcess, done: Promise<any> }[]} */
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
  return new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    child.on('message', (message) => message.kind === kind && resolve(message));
    child.once('exit', (code) => reject(new Error(`a client ended with ${code} before it was ${kind}`)));
  });
}

async function start(build, profile) {
  const execArgv = ['--expose-gc', ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [])];
  const child = fork(fileURLToPath(import.meta.url), ['broker', build], { execArgv });
  const ask = async (question) => {
    const [reply] = await Promise.all([once(child, 'message').then(([one]) => one), child.send(question)]);
    return reply;
  };
  const [{ url }] = await once(child, 'message');
  const connection = await connect(url, { noDelay: true });
  return {
    name: 'embedded',
    url,
    channel: await connection.createChannel(),
    ask,
    cpu: () => ask('cpu'),
    async stop() {
      await connection.close();
      child.send('close');
      await once(child, 'exit');
    },
  };
}

/** A virtual host of RabbitMQ, with the CPU time and memory of its process, where the system tells them. */
async function standOf(node) {
  const { origin, username, password } = new URL(node.managementUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const api = (method, path) =>
    fetch(`${origin}/api${path}`, { method, headers: { authorization, 'content-type': 'application/json' } });
  const vhost = `bench-${(vhosts += 1)}`;
  await api('PUT', `/vhosts/${vhost}`);
  const url = new URL(node.url);
  url.pathname = `/${vhost}`;
  const [{ os_pid: pid }] = /** @type {{ os_pid: string }[]} */ (await (await api('GET', '/nodes')).json());
  const connection = await connect(url.href, { noDelay: true });
  return {
    name: 'RabbitMQ',
    url: url.href,
    channel: await connection.createChannel(),
    cpu: async () => processUse(pid),
    async stop() {
      await connection.close();
      await api('DELETE', `/vhosts/${vhost}`);
    },
  };
}

/** Microseconds of CPU and bytes of a process, on Linux; else not a number. */
function processUse(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return { cpu: (Number(fields[11]) + Number(fields[12])) * TICK, memory: Number(fields[21]) * 4096 };
  } catch {
    return { cpu: NaN, memory: NaN };
  }
}

async function timed(what, work) {
  const begun = performance.now();
  await work();
  console.log(`  ${what}: ${Math.round(performance.now() - begun)} ms`);
}
