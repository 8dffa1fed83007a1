// `node libs/board/page/fake/server.mjs [port] [empty]`: the page with invented answers, without a broker or an application. For work on
// the page (with `npx vite libs/board/page`, which passes `/api` on to it), and for what tests cannot bring about otherwise.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as data from './data.mjs';
import { deadLetters, groupsOf, letterAnswer } from './dead-letters.mjs';
import { journey, topology } from './topology.mjs';

const page = fileURLToPath(new URL('../../dist/page', import.meta.url));
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const everyAct = [
  'dead.replay',
  'dead.edit',
  'dead.drop',
  'job.continue',
  'job.stop',
  'waiting.run-now',
  'publish',
  'call',
  'handler.pause',
  'handler.resume',
  'handler.prefetch',
  'handler.concurrency',
  'handler.rate',
];

/**
 * Starts it. `change` gets each answer before it is sent; `acts` lists what is allowed; with `empty` there is nothing to show, with `many`
 * there is much. Resolves to its address and what was asked of it.
 */
export async function fakeServer({
  port = 0,
  acts = everyAct,
  change = (_, answer) => answer,
  many = 0,
  empty = false,
  prefix = '/warren',
} = {}) {
  /** @type {any} */
  const state = {
    since: Date.now(),
    paused: new Set(),
    ran: new Set(),
    settings: {},
    letters: new Map(),
    jobs: [],
    asked: [],
    streams: new Set(),
    failing: undefined,
    // By what is asked for, `live` or `acts/publish`: answers in its place.
    instead: {},
    // Until when acts take.
    hold: undefined,
  };
  for (const [queue, length] of [
    ['billing.invoices.dead', 940],
    ['stock.reservations.dead', 37],
    ['mail.confirmations.dead', 0],
  ])
    state.letters.set(queue, deadLetters(queue, length, Date.now()));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const path = url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : url.pathname;
    if (!path.startsWith('/api/')) return file(path, response);
    if (state.failing)
      return json(response, state.failing, {
        error: {
          code: 'BROKER',
          message: 'The broker cannot be reached.',
          help: 'See whether it runs.',
          issues: [],
        },
      });
    const name = path.slice(5);
    if (state.instead[name]) return state.instead[name](response);
    if (name === 'live') return live(response, state);
    if (name === 'tail') return tail(response, state, change);
    if (request.method === 'POST') return acted(request, response, name.slice(5), state);
    const answer = views(name, url.searchParams, { state, acts, many });
    if (answer === undefined)
      return json(response, 404, {
        error: { code: 'NOT_FOUND', message: 'There is no such thing.', help: '', issues: [] },
      });
    const told = empty && name !== 'session' ? emptied(answer) : answer;
    json(response, 200, change(name, { at: Date.now(), unknown: [], ...told }));
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const ticking = setInterval(() => send(state.streams, 'tick', tick(state)), 2_000);
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix}/`,
    state,
    /** Ends all streams, as a process does that goes away. */
    cut: () => state.streams.forEach((stream) => stream.destroy()),
    tell: (name, value) => send(state.streams, name, value),
    close: () => {
      clearInterval(ticking);
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An answer of a broker and a fleet in which nothing is. */
function emptied(answer) {
  const { reading } = answer;
  const fields = Object.entries(answer).map(([name, value]) => [
    name,
    Array.isArray(value) ? [] : name === 'total' ? 0 : value,
  ]);
  return { ...Object.fromEntries(fields), ...(reading && { reading: { ...reading, messages: 0, read: 0 } }) };
}

function file(path, response) {
  const name = path === '/' || path === '' ? 'index.html' : normalize(path).replace(/^[/.]+/, '');
  try {
    const content = readFileSync(join(page, name));
    response.writeHead(200, {
      'content-type': types[extname(name)] ?? 'application/octet-stream',
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
    });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}

function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

function views(name, query, { state, acts, many }) {
  const now = Date.now();
  const [view, ...rest] = name.split('/').map(decodeURIComponent);
  if (view === 'session')
    return {
      who: 'ada',
      rights: acts.length > 0 ? ['look', 'replay', 'edit', 'control'] : ['look'],
      token: 'token',
      acts,
      version: '0.2.0',
      service: 'shop',
      connection: 'default',
      standAlone: false,
      management: true,
      savesDropped: true,
      redacts: false,
    };
  if (view === 'handlers') {
    const handlers = data.handlerRows(state, now, many);
    return { handlers, total: handlers.length };
  }
  if (view === 'services') return { services: data.serviceRows(now), complete: false };
  if (view === 'waiting') return data.waitingRows(now, state.since, state.ran);
  if (view === 'calls') return { calls: data.callRows(now), total: 7 };
  if (view === 'topology') return topology(many);
  if (view === 'journey')
    return rest[0].includes('nothing') ? { ...journey(rest[0], now), messages: [] } : journey(rest[0], now);
  if (view === 'exchanges')
    return {
      exchanges: [
        { name: 'events', type: 'topic' },
        { name: 'calls', type: 'direct' },
      ],
    };
  if (view === 'contracts') return { contracts: data.contracts() };
  if (view === 'jobs') return { jobs: state.jobs };
  if (view === 'history')
    return { acts: [...state.asked.map(data.auditRow).reverse(), ...data.historyRows(now)] };
  if (view === 'dead-letters') return dead(rest, query, state, now);
  return undefined;
}

function dead([queue, letters, key], query, state, now) {
  const facts = (all) => ({
    at: now - 4_000,
    messages: all.length,
    read: Math.min(2_000, all.length),
    looks: 1,
  });
  if (queue === undefined)
    return {
      queues: [...state.letters].map(([name, all]) => ({
        queue: name,
        of: name.replace('.dead', ''),
        handlers: ['Invoices.create'],
        messages: all.length,
        error: null,
        reading: all.length > 100 ? facts(all) : null,
        groups: all.length > 100 ? groupsOf(all) : [],
      })),
    };
  const all = state.letters.get(queue);
  if (all === undefined) return undefined;
  if (letters) return letterAnswer(all.find((each) => each.key === key) ?? all[0], now);
  const [group, text = '', offset = 0, limit = 100] = [
    query.get('group'),
    query.get('text') ?? '',
    Number(query.get('offset') ?? 0),
    Number(query.get('limit') ?? 100),
  ];
  const found = all.filter(
    (each) =>
      (!group || each.group === group) && JSON.stringify(each).toLowerCase().includes(text.toLowerCase()),
  );
  return {
    queue,
    of: queue.replace('.dead', ''),
    reading: facts(all),
    groups: groupsOf(all),
    letters: found.slice(offset, offset + limit),
    total: found.length,
    offset,
  };
}

function acted(request, response, act, state) {
  let text = '';
  request.on('data', (part) => (text += part));
  request.on('end', async () => {
    const body = JSON.parse(text);
    state.asked.push({ act, request: body, token: request.headers['x-warren-token'], at: Date.now() });
    await state.hold;
    if (state.refuse) return json(response, 422, { error: state.refuse });
    json(response, 200, outcome(act, body, state));
  });
}

function outcome(act, request, state) {
  if (act === 'handler.pause') state.paused.add(request.handler);
  if (act === 'handler.resume') state.paused.delete(request.handler);
  const setting = /^handler\.(prefetch|concurrency|rate)$/.exec(act)?.[1];
  if (setting)
    state.settings[request.handler] = { ...state.settings[request.handler], [setting]: request.value };
  if (act.startsWith('handler.')) {
    const { handler, service, everywhere = false } = request;
    const late = { instance: data.ref(service, 2), reason: 'not in force within 3000 ms' };
    const all = { done: [data.ref(service, 1)], failed: [late], silent: [] };
    return { handler, inForce: !everywhere, everywhere: everywhere ? all : null };
  }
  if (act === 'waiting.run-now') {
    state.ran.add(request.key);
    return { forwarded: true };
  }
  if (act === 'publish') return { messageId: '019ac-published', routed: request.routingKey !== 'nowhere' };
  if (act === 'call')
    return {
      took: 41,
      reply: { kind: 'json', text: '{\n  "accepted": true\n}', bytes: 18, cut: false, redacted: false },
    };
  return { job: jobOf(act, request, state) };
}

function jobOf(act, request, state) {
  const known = state.jobs.find(({ id }) => id === request.job);
  if (known) {
    Object.assign(known, act === 'job.stop' ? { state: 'stopped' } : { state: 'done', done: known.total }, {
      endedAt: Date.now(),
    });
    send(state.streams, 'job', known);
    return known;
  }
  const all = state.letters.get(request.queue) ?? [];
  const chosen = request.key
    ? all.filter(({ key }) => key === request.key)
    : request.select.keys
      ? all.filter(({ key }) => request.select.keys.includes(key))
      : all.filter(({ group }) => !request.select.group || group === request.select.group);
  const taken = request.first ? chosen.slice(0, request.first) : chosen;
  state.letters.set(
    request.queue,
    all.filter((each) => !taken.includes(each)),
  );
  const job = {
    id: `job-${state.jobs.length + 1}`,
    act,
    queue: request.queue,
    to: request.queue.replace('.dead', ''),
    what: `${chosen.length} messages`,
    startedAt: Date.now(),
    endedAt: request.first ? null : Date.now(),
    state: request.first ? 'waiting' : 'done',
    done: taken.length,
    total: chosen.length,
    leftOut: 0,
    outcome: act === 'dead.replay' ? { ack: taken.length, retry: 0, deadLetter: 0 } : null,
    rate: request.rate ?? null,
    error: null,
    file: request.save === 'server' ? 'dropped-1.ndjson' : null,
  };
  state.jobs.unshift(job);
  send(state.streams, 'job', job);
  return job;
}

const open = (response) =>
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
const send = (streams, name, value) =>
  streams.forEach((stream) => stream.write(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`));

function live(response, state) {
  open(response);
  state.streams.add(response);
  response.on('close', () => state.streams.delete(response));
  send([response], 'hello', { at: Date.now(), retry: 1_000 });
  send([response], 'tick', tick(state));
}

function tail(response, state, change) {
  open(response);
  send([response], 'ready', {});
  let i = 0;
  const timer = setInterval(() => {
    send([response], 'message', change('tail', data.tailMessage(i++, Date.now())));
    if (i % 40 === 0) send([response], 'skipped', { count: 120 });
  }, 120);
  response.on('close', () => clearInterval(timer));
}

function tick(state) {
  return {
    at: Date.now(),
    handlers: [],
    connections: ['publish', 'consume', 'reply'].map((name) => ({
      name: `shop:${name}`,
      state: state.away ? 'waiting' : 'open',
      blocked: false,
    })),
    publishing: { unconfirmed: 0, waiting: 0 },
    waiting: { messages: 60, nextDue: Date.now() + 800 },
    pendingCalls: 3,
    deadLettered: {},
    closing: false,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [port, ...words] = process.argv.slice(2);
  const { url } = await fakeServer({ port: Number(port ?? 4_173), empty: words.includes('empty') });
  console.log(url);
}
