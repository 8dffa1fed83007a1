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
import { build } from './build.mjs';
import { install } from './install.mjs';
import { sentenceOf } from './docs/reliability.mjs';
import { obtainRabbitMQ } from './rabbitmq-program.mjs';
import { fail, onSignal, root, runNode } from './run.mjs';

const args = process.argv.slice(2);
const given = (flag) => args.includes(flag);
const value = (flag) => (given(flag) ? args[args.indexOf(flag) + 1] : undefined);
const peers = join(root, 'bench', 'peers');
const only = value('--only') ?? '';

/** One of each kind: a broker that dies under messages and under calls, a process that ends. */
const QUICK = [
  'broker killed',
  'broker killed while calls run',
  'consumer asked to end with ten handlers running',
];
const LIAR = { key: 'liar', name: 'liar', title: 'A liar', settings: {}, declaresDeadLetters: true };

await install();
await build({ ifNeeded: true });
if (given('--rabbitmq')) {
  const { home, reason } = await obtainRabbitMQ(value('--rabbitmq'));
  if (reason !== undefined) fail(`RabbitMQ ${value('--rabbitmq')} is not to be had: ${reason}`);
  process.env.WARREN_RABBITMQ = home ?? '';
}
if (given('--peers')) {
  const { sideBySide } = await import(join(peers, 'run.mjs'));
  await sideBySide({});
  await tables();
} else if (given('--calls')) {
  await import(join(peers, 'calls', 'run.mjs'));
  await tables();
} else if (given('--fuzz')) {
  process.exitCode = (await strangers()) ? 0 : 1;
} else {
  const whole = !['--quick', '--liar', '--random', '--only'].some(given);
  const kept = await ours();
  process.exitCode = (!whole || (await strangers())) && kept ? 0 : 1;
}

/** Random frames against the embedded broker, beside a client that must not notice. */
async function strangers() {
  const { fuzz } = await import('./fuzz.mjs');
  const seed = Number(value('--seed') ?? Math.floor(Math.random() * 1_000_000));
  const minutes = Number(value('--minutes') ?? 5);
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
      ...(given('--random') ? {} : await all(broker)),
      ...(given('--random') || given('--quick') ? await random(broker) : {}),
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

/** Of the one system that a row has here. */
function figuresOf(row) {
  return Object.entries(row).find(([key]) => key !== 'kind')?.[1];
}

/** The table, as the page has it. */
function show(results) {
  const width = Math.max(...results.map(({ name }) => name.length));
  console.log();
  for (const { name, row, figures } of results) {
    const sentence = figures ? sentenceOf(row.kind, figures).replaceAll('**', '') : 'did not run';
    console.log(`${name.padEnd(width)}  ${sentence}`);
  }
}

async function all(broker) {
  const { runFaults } = await import(join(peers, 'faults', 'run.mjs'));
  const { underStream } = await import(join(peers, 'faults', 'messaging.mjs'));
  const { moreMessaging } = await import(join(peers, 'faults', 'more.mjs'));
  const { moreCalling, moreEndings } = await import(join(peers, 'faults', 'processes.mjs'));
  const { systems } = await import(join(peers, 'harness', 'systems.mjs'));
  const exactly = given('--quick') ? QUICK : given('--liar') ? ['connections cut inside a frame'] : [];
  const system = given('--liar') ? LIAR : systems[0];
  const found = await runFaults({
    broker,
    say: console.log,
    only: (name) => (exactly.length > 0 ? exactly.includes(name) : name.includes(only)),
    of: [system],
    more: [
      ...moreMessaging.map((fault) => ({ ...fault, kind: 'messages', run: underStream })),
      ...moreEndings.map((fault) => ({ ...fault, kind: 'endings' })),
      ...moreCalling.map((fault) => ({ ...fault, kind: 'calls' })),
    ],
  });
  if (exactly.length === 0 && only === '') await write(broker, found);
  return found;
}

async function random(broker) {
  const { playSchedule } = await import(join(peers, 'faults', 'schedule.mjs'));
  const { systems } = await import(join(peers, 'harness', 'systems.mjs'));
  const seed = Number(value('--seed') ?? Math.floor(Math.random() * 1_000_000));
  const length = Number(value('--minutes') ?? (given('--quick') ? 0.3 : 2)) * 60_000;
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

/** The figures of docs/reliability.md, and its tables. */
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
