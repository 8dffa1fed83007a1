// One process of one system under test: `node program.mjs <system> <role> '<settings as JSON>'`. All systems run this
// same program. It takes a JSON object per line on standard input and prints one per line; it never catches what the
// library leaves unhandled, so a crash is a crash.
import { createInterface } from 'node:readline';
import { madeOf, shown } from './bad/values.mjs';

const [system, role, json] = process.argv.slice(2);
const peer = await import(new URL(`./${system}/peer.mjs`, import.meta.url));
const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const settings = {
  ...JSON.parse(json),
  logger: log(),
  failed: (error) => console.error(`failed: ${error?.message ?? error}`),
};

const roles = {
  consumer: () => peer.consumer(settings, take),
  producer: () => peer.producer(settings),
  'rpc-server': () => peer.rpcServer(settings, answer),
  'rpc-client': () => peer.rpcClient(settings),
};

const part = await roles[role]();
print({ event: 'ready' });

createInterface({ input: process.stdin }).on('line', (line) => void obey(JSON.parse(line)));

/** What the application's handler does: tells what it was given, and fails when the message says so. */
function take(body) {
  print({ event: 'handled', body: shown(body), n: body?.n });
  if (body?.please === 'throw') throw new Error('the handler failed');
}

function answer(body) {
  print({ event: 'handled', body: shown(body), n: body?.n });
  if (body?.please === 'throw') throw new Error('secret: the password is 1234');
  if (body?.please !== undefined) return madeOf(body.please);
  return { n: body?.n };
}

async function obey({ id, publish, call, options, timeout }) {
  const began = performance.now();
  const settled = (outcome) =>
    print({ event: 'settled', id, ms: Math.round(performance.now() - began), ...outcome });
  try {
    const value =
      call === undefined
        ? await part.publish(madeOf(publish), madeOf(options))
        : await part.call(madeOf(call), timeout);
    settled({ ok: true, value: shown(value) });
  } catch (error) {
    settled({ ok: false, error: named(error) });
  }
}

const named = (error) =>
  error instanceof Error
    ? `${error.name === 'Error' ? error.constructor.name : error.name}: ${error.message}`.slice(0, 200)
    : shown(error);

/** The library's log, in one form for all: what it says at warn or error counts as having told somebody. */
function log() {
  const line = (level) => (message) => print({ event: 'log', level, text: shown(message) });
  const quiet = () => {};
  return {
    log: quiet,
    debug: quiet,
    verbose: quiet,
    warn: line('warn'),
    error: line('error'),
    fatal: line('error'),
  };
}
