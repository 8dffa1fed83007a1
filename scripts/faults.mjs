// `npm run faults`: what becomes of messages and calls when networks, brokers and processes fail. Real processes, a
// private RabbitMQ, a proxy in between, numbered messages, and a judge. Ends with a table and with exit code 1 if a
// promise was broken.
//   -- --only frozen             faults with that text in their names
//   -- --peers                   the same faults for golevelup and Nest's transport too, and bad inputs; writes the pages
//   -- --calls [words]           what becomes of calls, for all of them on both brokers; writes their table
//   -- --quick                   a selection, and half a minute of faults at random: what `npm test` runs
//   -- --liar                    a system that lies about everything: the judge must find it out
//   -- --random [--seed 7] [--minutes 2]      faults at random over a stream of messages; the seed repeats them
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { onSignal, root } from './run.mjs';

const args = process.argv.slice(2);
const given = (flag) => args.includes(flag);
const value = (flag) => (given(flag) ? args[args.indexOf(flag) + 1] : undefined);
const peers = join(root, 'bench', 'peers');
const only = given('--only') ? [value('--only')] : [];

/** One of each kind: a broker that dies under messages and under calls, a process that ends. */
const QUICK = ['broker killed', 'consumer asked to end'];
const LIAR = { key: 'liar', name: 'liar', title: 'A liar', settings: {}, declaresDeadLetters: true };

await install();
await build({ ifNeeded: true });
if (given('--peers')) {
  const { sideBySide } = await import(join(peers, 'run.mjs'));
  await sideBySide({});
} else if (given('--calls')) {
  await import(join(peers, 'calls', 'run.mjs'));
} else {
  process.exitCode = (await ours()) ? 0 : 1;
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
    const results = {
      ...(given('--random') ? {} : await all(broker)),
      ...(given('--random') || given('--quick') ? await random(broker) : {}),
    };
    const lines = Object.entries(results).flatMap(([name, figures]) => broken(name, figures));
    for (const line of lines) console.error(`BROKEN  ${line}`);
    console.log(`\n${Object.keys(results).length} runs, ${lines.length} promises broken`);
    return lines.length === 0;
  } finally {
    await over();
  }
}

async function all(broker) {
  const { runFaults } = await import(join(peers, 'faults', 'run.mjs'));
  const { underStream } = await import(join(peers, 'faults', 'messaging.mjs'));
  const { moreMessaging } = await import(join(peers, 'faults', 'more.mjs'));
  const { systems } = await import(join(peers, 'harness', 'systems.mjs'));
  const wanted = given('--quick') ? QUICK : given('--liar') ? ['inside a frame'] : only;
  const system = given('--liar') ? LIAR : systems[0];
  const found = await runFaults({
    broker,
    say: console.log,
    only: (name) => wanted.length === 0 || wanted.some((words) => name.includes(words)),
    of: [system],
    more: moreMessaging.map((fault) => ({ ...fault, kind: 'messages', run: underStream })),
  });
  if (wanted.length === 0) await write(broker, found);
  return Object.fromEntries(Object.entries(found).map(([name, row]) => [name, row[system.key]]));
}

async function random(broker) {
  const { playSchedule } = await import(join(peers, 'faults', 'schedule.mjs'));
  const { Trial } = await import(join(peers, 'faults', 'trial.mjs'));
  const { systems } = await import(join(peers, 'harness', 'systems.mjs'));
  const seed = Number(value('--seed') ?? Math.floor(Math.random() * 1_000_000));
  const length = Number(value('--minutes') ?? (given('--quick') ? 0.3 : 2)) * 60_000;
  console.log(`Faults at random for ${length / 60_000} min; again with --seed ${seed}`);
  const trial = new Trial(systems[0], await broker.vhost('random'));
  await trial.open();
  const figures = await playSchedule({ broker, trial, seed, length, say: console.log });
  console.log(JSON.stringify(figures));
  return { [`seed ${seed}`]: figures };
}

/** The figures of docs/reliability.md; `npm run docs` makes its table of them. */
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
  writeFileSync(join(folder, 'warren.json'), `${JSON.stringify(measured, null, 2)}\n`);
}
