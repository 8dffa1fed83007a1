// How fast the embedded broker is, beside RabbitMQ on the same machine, and whether what a message costs grows with what is
// in it: messages waiting, bindings, queues. The broker, one publisher (confirms, 1000 in flight) and one consumer (prefetch
// 1000, an ack for each message) are processes of their own; the clients are bare amqplib, so that what is measured is the
// broker, and in one case @warren/amqp, which leaves the broker more of the machine. Then how much memory a waiting message takes, and what is left of it when all were consumed.
// `npm run bench` measures a few of the cases as well, see bench/speed.
//   node bench/embedded.mjs [--quick] [--only text] [--rounds 3] [--rabbitmq 4.3] [--broker index.js of another build] [--profile folder]
import { cpus, loadavg } from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { startRabbitMQ } from '../tools/rabbitmq.mjs';
import { onSignal } from '../tools/run.mjs';
import { cases, plain } from './embedded/cases.mjs';
import { SIZE } from './embedded/clients.mjs';
import { measure, standOf, start } from './embedded/measure.mjs';
import { run } from './embedded/run.mjs';

/**
 * @typedef {import('../tools/rabbitmq.mjs').RabbitMQNode} RabbitMQNode
 * @typedef {import('./embedded/cases.mjs').Case} Case
 * @typedef {import('./embedded/cases.mjs').Stand} Stand
 */

const MB = 1e6;
await main();

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
  const real =
    rabbitmq === undefined ? undefined : await startRabbitMQ({ line: rabbitmq, management: false });
  onSignal(() => real?.stop());
  try {
    /** @type {Record<string, object>} */
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

/**
 * One case on both brokers in turn, the best of each, and how many times as many messages the embedded one takes.
 *
 * @param {Case} one
 * @param {number} count
 * @param {number} rounds
 * @param {() => Promise<Stand>} embedded
 * @param {RabbitMQNode | undefined} real
 */
async function compared(one, count, rounds, embedded, real) {
  /** @param {Row[]} tries */
  const best = (tries) => tries.sort((a, b) => b['messages/s'] - a['messages/s'])[0];
  /** @typedef {Awaited<ReturnType<typeof measure>>} Row */
  /** @type {[Row[], Row[]]} */
  const [ours, theirs] = [[], []];
  for (let n = 0; n < rounds; n += 1) {
    ours.push(await said(one, count, await embedded()));
    if (real) theirs.push(await said(one, count, await standOf(real)));
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

/** @param {Case} one @param {number} count @param {Stand} stand */
async function said(one, count, stand) {
  const row = await measure(one, count, stand);
  const { 'messages/s': rate, 'broker µs/message': cost } = row;
  console.log(`  ${one.name} (${stand.name}): ${rate} messages/s, broker ${cost} µs a message`);
  return row;
}

/**
 * What messages take that wait in one queue, beyond their bodies, and what is left of it after all were consumed.
 *
 * @param {Awaited<ReturnType<typeof start>>} stand
 * @param {number} count
 */
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
  let empty = drained;
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
