// `npm run faults`: what becomes of messages and calls when networks, brokers and processes fail. Real processes, a
// private RabbitMQ, a proxy in between, numbered messages, and a judge. Ends with a table and with exit code 1 if a
// promise was broken.
//   -- --only frozen             faults with that text in their names
//   -- --peers                   the same faults for golevelup and Nest's transport too, and bad inputs; writes the pages
//   -- --calls [words]           what becomes of calls, for all of them on both brokers; writes their table
//   -- --quick                   a selection, and half a minute of faults at random: what `npm test` runs
//   -- --liar                    a system that lies about everything: the judge must find it out
//   -- --rabbitmq 3.10          that RabbitMQ (4.3, 4.0, 3.10), instead of this machine's
//   -- --fuzz [--seed 7] [--minutes 5]        only what the embedded broker makes of random frames; else the last part
//   -- --random [--seed 7] [--minutes 2]      faults at random over a stream of messages; the seed repeats them
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { sentenceOf } from './docs/reliability.mjs';
import { obtainRabbitMQ } from './rabbitmq-program.mjs';
import { fail, onSignal, root, runNode } from './run.mjs';

/** @type {{ type: 'string' }} */
const text = { type: 'string' };
/** @type {{ type: 'boolean', default: boolean }} */
const flag = { type: 'boolean', default: false };
const { values } = parseArgs({
  options: {
    only: text,
    rabbitmq: text,
    seed: text,
    minutes: text,
    peers: flag,
    calls: flag,
    quick: flag,
    liar: flag,
    fuzz: flag,
    random: flag,
  },
  // The words after --calls.
  allowPositionals: true,
});
const peers = join(root, 'bench', 'peers');
const only = values.only ?? '';

/** One of each kind: a broker that dies under messages and under calls, a process that ends. */
const QUICK = [
  'broker killed',
  'broker killed while calls run',
  'consumer asked to end with ten handlers running',
];
const LIAR = { key: 'liar', name: 'liar', title: 'A liar', settings: {}, declaresDeadLetters: true };

await install();
await build({ ifNeeded: true });
const line = values.rabbitmq;
if (line !== undefined) {
  const { home, reason } = await obtainRabbitMQ(line);
  if (reason !== undefined) fail(`RabbitMQ ${line} is not to be had: ${reason}`);
  process.env.WARREN_RABBITMQ = home ?? '';
}
if (values.peers) {
  const { sideBySide } = await import(join(peers, 'run.mjs'));
  await sideBySide({});
  await tables();
} else if (values.calls) {
  await import(join(peers, 'calls', 'run.mjs'));
  await tables();
} else if (values.fuzz) {
  process.exitCode = (await strangers()) ? 0 : 1;
} else {
  const whole = !values.quick && !values.liar && !values.random && values.only === undefined;
  const kept = await ours();
  process.exitCode = (!whole || (await strangers())) && kept ? 0 : 1;
}

/** Random frames against the embedded broker, beside a client that must not notice. */
async function strangers() {
  const { fuzz } = await import('./fuzz.mjs');
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  const minutes = Number(values.minutes ?? 5);
  console.log(
    `Random frames against the embedded broker for ${minutes} min; again with --fuzz --seed ${seed}`,
  );
  const { broken } = await fuzz({ seconds: minutes * 60, seed, say: console.log });
  for (const line of broken) console.error(`BROKEN  ${line}`);
  return broken.length === 0;
}

async function ours() {
  const { Broker } = await import(join(peers, 'harness', 'broker.mjs'));
  const { endAll } = await import(join(peers, 'harness', 'child.mjs'));
  const { broken } = await import(join(peers, 'faults', 'promises.mjs'));
  const broker = await Broker.start();
  const over = async () => {
    await endAll();
    await broker.stop();
  };
  onSignal(over);
  try {
    const began = performance.now();
    const rows = {
      ...(values.random ? {} : await all(broker)),
      ...(values.random || values.quick ? await random(broker) : {}),
    };
    const results = Object.entries(rows).map(([name, row]) => ({ name, row, figures: figuresOf(row) }));
    show(results);
    const lines = results.flatMap(({ name, figures }) => broken(name, figures));
    for (const line of lines) console.error(`BROKEN  ${line}`);
    const minutes = ((performance.now() - began) / 60_000).toFixed(1);
    console.log(`\n${results.length} runs, ${lines.length} promises broken, ${minutes} min`);
    return lines.length === 0;
  } finally {
    await over();
  }
}

/**
 * @typedef {import('../bench/peers/harness/broker.mjs').Broker} Broker
 * @typedef {{ name: string }} Fault
 * @typedef {import('./docs/reliability.mjs').Trial} Row
 * @typedef {object} Result
 * @property {string} name
 * @property {Row} row
 * @property {Parameters<typeof sentenceOf>[1] | undefined} figures
 */

/**
 * Of the one system that a row has here.
 *
 * @param {Row} row
 */
function figuresOf(row) {
  const figures = Object.entries(row).find(([key]) => key !== 'kind')?.[1];
  return /** @type {Result['figures']} */ (figures);
}

/**
 * The table, as the page has it.
 *
 * @param {readonly Result[]} results
 */
function show(results) {
  const width = Math.max(...results.map(({ name }) => name.length));
  console.log();
  for (const { name, row, figures } of results) {
    const sentence = figures ? sentenceOf(row.kind, figures).replaceAll('**', '') : 'did not run';
    console.log(`${name.padEnd(width)}  ${sentence}`);
  }
}

/** @param {Broker} broker */
async function all(broker) {
  const { runFaults } = await import(join(peers, 'faults', 'run.mjs'));
  const { underStream } = await import(join(peers, 'faults', 'messaging.mjs'));
  const { moreMessaging } = await import(join(peers, 'faults', 'more.mjs'));
  const { moreCalling, moreEndings } = await import(join(peers, 'faults', 'processes.mjs'));
  const { systems } = await import(join(peers, 'harness', 'systems.mjs'));
  const exactly = values.quick ? QUICK : values.liar ? ['connections cut inside a frame'] : [];
  const system = values.liar ? LIAR : systems[0];
  const found = await runFaults({
    broker,
    say: console.log,
    only: (/** @type {string} */ name) => (exactly.length > 0 ? exactly.includes(name) : name.includes(only)),
    of: [system],
    more: [
      ...moreMessaging.map((/** @type {Fault} */ fault) => ({
        ...fault,
        kind: 'messages',
        run: underStream,
      })),
      ...moreEndings.map((/** @type {Fault} */ fault) => ({ ...fault, kind: 'endings' })),
      ...moreCalling.map((/** @type {Fault} */ fault) => ({ ...fault, kind: 'calls' })),
    ],
  });
  if (exactly.length === 0 && only === '') await write(broker, found);
  return found;
}

/** @param {Broker} broker */
async function random(broker) {
  const { playSchedule } = await import(join(peers, 'faults', 'schedule.mjs'));
  const { systems } = await import(join(peers, 'harness', 'systems.mjs'));
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  const length = Number(values.minutes ?? (values.quick ? 0.3 : 2)) * 60_000;
  console.log(`Faults at random for ${length / 60_000} min; again with --seed ${seed}`);
  const { messages, calls } = await playSchedule({
    broker,
    system: systems[0],
    seed,
    length,
    say: console.log,
  });
  return {
    [`messages, seed ${seed}`]: { kind: 'messages', warren: messages },
    [`calls, seed ${seed}`]: { kind: 'calls', warren: calls },
  };
}

/**
 * The figures of docs/reliability.md, and its tables.
 *
 * @param {Broker} broker
 * @param {Record<string, Row>} results
 */
async function write(broker, results) {
  const folder = join(root, 'docs', 'reliability');
  mkdirSync(folder, { recursive: true });
  const measured = {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    rabbitmq: await broker.version(),
    processors: availableParallelism(),
    systems: [{ key: 'warren', title: 'what became of it' }],
    results,
  };
  const { writeJson } = await import('./docs/json.mjs');
  await writeJson(join(folder, 'warren.json'), measured);
  await tables();
}

/** The tables of the pages, from what was measured. */
function tables() {
  return runNode([join(root, 'tools', 'docs.mjs')], { quiet: true });
}
