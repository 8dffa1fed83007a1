// `npm run demo`: producers, consumers and a broker as processes of their own walk through everything RabbitMQ's
// tutorials show and more. Says for each scene what was sent, who got it and whether that is right; exits 0 only if
// all was. Without --url it starts the embedded broker; with it the same happens on your RabbitMQ, in names of its own.
import { parseArgs } from 'node:util';
import { buildToRun } from './build.mjs';
import { bundle } from './bundle.mjs';
import { fail, onSignal } from './run.mjs';

const usage = `npm run demo -- [options]

  --url <url>            a RabbitMQ of yours instead of the embedded broker: amqp://user:password@host:5672/vhost
  --management <url>     its management API, default port 15672 of the same host; the scene about vhosts uses it
  --restart <command>    restarts that broker; the scene about durability runs it
  --only <word>          only scenes with this word in their title; more than once: with one of them
  --board                the board of a small shop in which some things fail, until Ctrl+C; on the embedded broker`;

/** @satisfies {import('node:util').ParseArgsConfig['options']} */
const options = {
  url: { type: 'string' },
  management: { type: 'string' },
  restart: { type: 'string' },
  only: { type: 'string', multiple: true },
  board: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
};

const { board, help, ...given } = read();
if (help) {
  console.log(usage);
} else {
  if (board && Object.keys(given).length > 0)
    fail(`--board has a broker of its own, and no scenes: leave out the other options.\n\n${usage}`);
  await buildToRun({ board });
  if (!board) await bundle();
  const demo = board ? await shop() : await play();
  onSignal(() => demo.interrupt());
  process.exitCode = (await demo.run()) ? 0 : 1;
}

// Only now: what they need may have been installed a moment ago.
async function shop() {
  const { BoardDemo } = await import('./demo/board.mjs');
  return new BoardDemo();
}

async function play() {
  const { Demo } = await import('./demo/demo.mjs');
  return new Demo(given);
}

function read() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(`${error.message}\n\n${usage}`);
  }
}
