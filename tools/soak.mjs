// `npm run soak`: a service, a producer and callers work for a long time while connections, processes and brokers fail by a
// seed; at the end every message is accounted for. Exit code 1 when a promise was broken.
//   -- --minutes 30        how long (default 30)          -- --short     three minutes on one node, as part of every check
//   -- --seed 7            the same faults again          -- --nodes 1   one node instead of a cluster of three
//   -- --rate 60           messages a second              -- --keep      leaves the journals, and says where
//   -- --rabbitmq 4.3      another line of RabbitMQ
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { obtainRabbitMQ } from './rabbitmq-program.mjs';
import { fail, onSignal } from './run.mjs';

/** @type {{ type: 'string' }} */
const text = { type: 'string' };
/** @type {{ type: 'boolean', default: boolean }} */
const flag = { type: 'boolean', default: false };
/** @satisfies {import('node:util').ParseArgsConfig['options']} */
const options = {
  minutes: text,
  seed: text,
  rate: text,
  nodes: text,
  outage: text,
  rabbitmq: text,
  short: flag,
  keep: flag,
};
const given = read();

await install();
await build({ ifNeeded: true });
if (given.rabbitmq !== undefined) {
  const { home, reason } = await obtainRabbitMQ(given.rabbitmq);
  if (reason !== undefined) fail(`RabbitMQ ${given.rabbitmq} is not to be had: ${reason}`);
  process.env.WARREN_RABBITMQ = home ?? '';
}
const { soak } = await import('../bench/soak/run.mjs');
const minutes = number('minutes', given.short ? 3 : 30);
const seed = number('seed', Math.floor(Math.random() * 1_000_000));
const size = number('nodes', given.short ? 1 : 3);
// Longer than the life of anything that version 0.1 let the broker delete, and than any other expiry in the system.
const outage = number('outage', given.short ? 50 : 8 * 60) * 1_000;
onSignal(() => {});
console.log(
  `Soak run: ${minutes} min on ${size === 1 ? 'one node' : `${size} nodes`}; again with --seed ${seed}`,
);
const { figures, broken, folder } = await soak({
  minutes,
  seed,
  size,
  outage,
  rate: number('rate', 60),
  keep: given.keep,
  say: (line) => console.log(line),
});
console.log('\nThe ledger');
for (const [what, figure] of Object.entries(figures))
  console.log(`  ${what.padEnd(20)} ${JSON.stringify(figure)}`);
for (const line of broken.slice(0, 50)) console.error(`BROKEN  ${line}`);
if (broken.length > 50) console.error(`... and ${broken.length - 50} more`);
if (given.keep) console.log(`journals: ${folder}`);
console.log(`\n${broken.length} promises broken (seed ${seed})`);
process.exit(broken.length === 0 ? 0 : 1);

function read() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(error.message);
  }
}

/** @param {keyof typeof given} name @param {number} otherwise */
function number(name, otherwise) {
  if (given[name] === undefined) return otherwise;
  const value = Number(given[name]);
  return Number.isFinite(value) && value >= 0
    ? value
    : fail(`--${name} must be a number, not '${given[name]}'`);
}
