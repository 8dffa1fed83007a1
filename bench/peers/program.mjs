// One process of one system under test: `node program.mjs <system> <role> '<settings as JSON>'`. All systems run this
// same program. It takes a JSON object per line on standard input and prints one per line; it never catches what the
// library leaves unhandled, so a crash is a crash.
import { createInterface } from 'node:readline';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { fails } from './harness/failing.mjs';
import { madeOf, shown } from './harness/values.mjs';

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
  'calls-server': async () => (await import('./calls/sides.mjs')).serve(peer, settings, print),
  'calls-client': async () => (await import('./calls/sides.mjs')).caller(peer, settings, print),
};

let streaming;
const part = await roles[role]();
print({ event: 'ready' });

createInterface({ input: process.stdin }).on('line', (line) => void obey(JSON.parse(line)));

/** What the application's handler does: tells what it was given, and fails when the message or its number says so. */
async function take(body, about = {}) {
  print({ event: 'handled', body: shown(body), n: body?.n, ...about });
  if (body?.please === 'die') process.kill(process.pid, 'SIGKILL');
  if (body?.please === 'throw') throw new Error('the handler failed');
  if (settings.failing && fails(body?.n, about.attempt)) {
    print({ event: 'failed', n: body.n, ...about });
    throw new Error('the handler failed');
  }
  if (settings.work) await pause(settings.work);
  print({ event: 'done', n: body?.n });
}

async function answer(body) {
  print({ event: 'handled', body: shown(body), n: body?.n });
  if (body?.please === 'throw') throw new Error('secret: the password is 1234');
  if (body?.please !== undefined) return madeOf(body.please);
  if (settings.work) await pause(settings.work);
  return { n: body?.n };
}

function obey(command) {
  const { id, publish, call, options, timeout, stream, memory } = command;
  if (part.obey) {
    void part.obey(command);
    return;
  }
  if (memory) print({ event: 'memory', rss: process.memoryUsage.rss() });
  else if (stream !== undefined) void numbered(stream);
  else if (call !== undefined) void settle(id, () => part.call(madeOf(call), timeout));
  else void settle(id, () => part.publish(madeOf(publish), madeOf(options)));
}

/** Numbered messages, or calls, at a steady rate and not one by one; ends with `{ stream: { count: 0 } }`. */
async function numbered({ calls, from, count, rate, size = 0, timeout }) {
  clearInterval(streaming);
  if (!(count > 0)) return;
  const text = 'x'.repeat(size);
  const began = performance.now();
  let sent = 0;
  streaming = setInterval(() => {
    const due = Math.min(count, Math.floor(((performance.now() - began) / 1_000) * rate));
    for (; sent < due; sent++) {
      const n = from + sent;
      print({ event: 'sent', n });
      void settle(n, () => (calls ? part.call({ n }, timeout) : part.publish({ n, text })));
    }
    if (sent === count) clearInterval(streaming);
  }, 5);
}

async function settle(id, work) {
  const began = performance.now();
  const told = (outcome) =>
    print({ event: 'settled', id, ms: Math.round(performance.now() - began), ...outcome });
  try {
    const value = await work();
    told({ ok: true, value: shown(value) });
  } catch (error) {
    told({ ok: false, error: named(error) });
  }
}

function named(error) {
  if (!(error instanceof Error)) return shown(error);
  return `${error.name === 'Error' ? error.constructor.name : error.name}: ${error.message}`.slice(0, 200);
}

/** The library's log, in one form for all: what it says at warn or error counts as having told somebody. */
function log() {
  const line = (level) => (message) => print({ event: 'log', level, text: shown(message) });
  const quiet = () => {};
  const loud = line('error');
  return { log: quiet, debug: quiet, verbose: quiet, warn: line('warn'), error: loud, fatal: loud };
}
