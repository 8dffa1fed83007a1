// `npm run demo`: producers, consumers and a broker as processes of their own walk through everything RabbitMQ's
// tutorials show and more. Says for each scene what was sent, who got it and whether that is right; exits 0 only if
// all was. Without --url it starts the embedded broker; with it the same happens on your RabbitMQ, in names of its own.
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { fail, onSignal } from './run.mjs';

const usage = `npm run demo -- [options]

  --url <url>            a RabbitMQ of yours instead of the embedded broker: amqp://user:password@host:5672/vhost
  --management <url>     its management API, default port 15672 of the same host; the scene about vhosts uses it
  --restart <command>    restarts that broker; the scene about durability runs it
  --only <word>          only scenes with this word in their title`;

/** @satisfies {import('node:util').ParseArgsConfig['options']} */
const options = {
  url: { type: 'string' },
  management: { type: 'string' },
  restart: { type: 'string' },
  only: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
};

const { url, management, restart, only, help } = read();
if (help) {
  console.log(usage);
} else {
  await build({ ifNeeded: true });
  // Only now: what it needs may have been installed a moment ago.
  const { Demo } = await import('./demo/demo.mjs');
  const demo = new Demo({ url, management, restart, only });
  onSignal(() => demo.interrupt());
  process.exitCode = (await demo.run()) ? 0 : 1;
}

function read() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(`${error.message}\n\n${usage}`);
  }
}
