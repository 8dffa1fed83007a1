// What may be asked of an RPC server by somebody who means no good, or made a mistake. A clear outcome is: the caller
// has an error at once or, where nobody can be told, nothing happens to anybody else.
import { OUTCOME, PATIENCE, within } from './arena.mjs';

/**
 * @typedef {import('./arena.mjs').Arena} Arena
 * @typedef {import('./arena.mjs').Judgement} Judgement
 * @typedef {import('amqplib').ConsumeMessage} ConsumeMessage
 */

/**
 * `body` is the payload, `raw` bytes instead of it; `answer: false` where no caller waits.
 *
 * @typedef {object} Question
 * @property {unknown} [body]
 * @property {string} [raw]
 * @property {import('amqplib').Options.Publish} [properties]
 * @property {boolean} [answer]
 */

/**
 * What was seen of one: `ms` until the reply, `loop` in KiB/s, how often its handler runs, whether the queue of somebody else
 * got a message.
 *
 * @typedef {object} Seen
 * @property {ConsumeMessage | undefined} reply
 * @property {number} ms
 * @property {number} loop
 * @property {boolean} crashed
 * @property {number} runs
 * @property {boolean} foreign
 * @property {boolean} dead
 * @property {boolean} told
 */

const json = 'application/json';
const good = { n: 0 };

/** @type {(Question & { name: string })[]} */
export const requests = [
  { name: 'malformed JSON', raw: '{"id": 1,' },
  { name: 'empty body', raw: '' },
  { name: 'handler throws an error with a secret', body: { n: 0, please: 'throw' } },
  { name: 'handler returns a circular object', body: { n: 0, please: { $: 'circular' } } },
  unanswerable('no reply-to', undefined),
  unanswerable('reply-to names another queue', 'victim'),
  unanswerable('reply-to names the own queue', 'numbered'),
  unanswerable('reply-to names no queue', 'gone'),
  unanswerable('reply-to is a broken direct reply-to', 'amq.rabbitmq.reply-to.abc.def'),
  { name: 'header CC names another queue', body: good, properties: { headers: { CC: ['victim'] } } },
];

/** @param {string} name @param {string | undefined} replyTo */
function unanswerable(name, replyTo) {
  return { name, body: good, properties: { replyTo }, answer: false };
}

/**
 * The caller: direct reply-to on bare amqplib.
 *
 * @param {Arena} arena
 */
export async function openRequests(arena) {
  const hear = (/** @type {ConsumeMessage} */ message) =>
    arena.replies.get(message.properties.correlationId)?.(message);
  await arena.listen('amq.rabbitmq.reply-to', hear, { noAck: true });
}

/**
 * Sends one to an RPC server.
 *
 * @param {Arena} arena
 * @param {Question} input
 * @returns {Promise<Judgement>}
 */
export async function request(arena, input) {
  arena.child.forget();
  await arena.empty('victim', 'numbered.dead');
  const began = performance.now();
  const reply = await ask(arena, input, input.answer === false ? 700 : OUTCOME);
  const ms = Math.round(performance.now() - began);
  const loop = arena.child.ended ? 0 : await arena.loop();
  const crashed = arena.child.ended;
  // On the default exchange the broker itself sends one copy of the request there; a second one is the server's.
  const sentOn = input.properties?.headers?.CC !== undefined && arena.onDefaultExchange;
  const facts = {
    reply,
    ms,
    loop,
    crashed,
    runs: arena.child.events.filter(({ event }) => event === 'handled').length,
    foreign: (await arena.count('victim')) > (sentOn ? 1 : 0),
    dead: (await arena.count('numbered.dead')) > 0,
    told: arena.child.told,
  };
  const next = crashed ? undefined : await ask(arena, { body: good }, PATIENCE);
  return { ...verdict(input, facts), ...(next || crashed ? {} : { hung: true }) };
}

/** @param {Arena} arena @param {Question} question @param {number} limit */
async function ask(arena, { body, raw, properties }, limit) {
  const correlationId = String(arena.number);
  const answered = new Promise((/** @type {(reply: ConsumeMessage) => void} */ resolve) =>
    arena.replies.set(correlationId, resolve),
  );
  const content = raw ?? arena.framed(body, correlationId);
  await arena.send(content, {
    contentType: json,
    correlationId,
    replyTo: 'amq.rabbitmq.reply-to',
    ...properties,
  });
  const reply = await within(answered, limit);
  arena.replies.delete(correlationId);
  return reply;
}

/** @param {Question} input @param {Seen} seen */
function verdict(input, { reply, ms, loop, crashed, runs, foreign, dead, told }) {
  if (crashed) return { outcome: 'crashed', clear: false };
  if (loop > 0) return { outcome: `looped, ${loop} KiB/s`, clear: false };
  if (foreign) return { outcome: 'wrote into that queue', clear: false };
  if (runs > 1) return { outcome: `ran ${runs} times`, clear: false };
  if (reply) return replied(reply, ms);
  if (input.answer === false) {
    const log = told ? ', with a line in the log' : '';
    return { outcome: `${runs > 0 ? 'handled' : 'not handled'}, no answer sent${log}`, clear: true };
  }
  return {
    outcome: `no answer${dead ? ', dead-lettered' : ''}: the caller waits out its time`,
    clear: false,
  };
}

/** @param {ConsumeMessage} reply @param {number} ms */
function replied(reply, ms) {
  const text = reply.content.toString();
  if (text.includes('1234')) return { outcome: 'told the secret', clear: false };
  const failed =
    reply.properties.headers?.['x-rpc-error'] !== undefined || /^\{"(id":"\w+",")?err/.test(text);
  if (failed) return { outcome: `error in ${ms} ms`, clear: true };
  return { outcome: 'answered', clear: true };
}
