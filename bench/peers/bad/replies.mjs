// What a caller may get for an answer. A clear outcome is: the value where there is one, else an error, in time; and
// never a piece of garbage that looks like a value.
import { setTimeout } from 'node:timers';
import { PATIENCE } from './arena.mjs';

/**
 * @typedef {import('./arena.mjs').Answer} Answer
 * @typedef {import('./arena.mjs').Arena} Arena
 * @typedef {import('./arena.mjs').Judgement} Judgement
 */

/**
 * `answer(send, value)` is what the other side does, `expect` what the caller should get.
 *
 * @typedef {{ name: string, expect: 'value' | 'error' | 'either' | 'timeout', answer: Answer }} Reply
 */

const json = 'application/json';
/** What the caller asks for, in milliseconds. */
const TIMEOUT = 2_000;

/** @type {Reply[]} */
export const replies = [
  { name: 'a good answer', expect: 'value', answer: (send, value) => send(value) },
  { name: 'none', expect: 'timeout', answer: () => {} },
  {
    name: 'two',
    expect: 'value',
    answer: (send, value) => {
      send(value);
      send(value);
    },
  },
  {
    name: 'late',
    expect: 'timeout',
    answer: (send, value) => setTimeout(() => send(value), TIMEOUT + 500).unref(),
  },
  { name: 'of an unknown call', expect: 'value', answer: answerAfter({ correlationId: 'unknown' }) },
  { name: 'without correlation id', expect: 'value', answer: answerAfter({ correlationId: undefined }) },
  { name: 'malformed JSON', expect: 'error', answer: (send) => send('{"id": 1,') },
  { name: 'empty body', expect: 'either', answer: (send) => send('') },
  {
    name: 'gzip, and it is not',
    expect: 'either',
    answer: (send, value) => send(value, { contentEncoding: 'gzip' }),
  },
];

// A bad answer first, the good one 100 ms later.
/** @param {import('amqplib').Options.Publish} properties @returns {Answer} */
function answerAfter(properties) {
  return (send, value) => {
    send(value, properties);
    setTimeout(() => send(value), 100).unref();
  };
}

/**
 * The other side: takes each request and answers as the input at hand wants it.
 *
 * @param {Arena} arena
 */
export async function openReplies(arena) {
  await arena.channel.assertQueue('numbered', arena.system.queue ?? { durable: true });
  await arena.channel.bindQueue('numbered', 'bad', 'numbered');
  /** @param {import('amqplib').ConsumeMessage} request */
  const hear = ({ properties: { replyTo, correlationId } }) => {
    /** @type {import('./arena.mjs').Send} */
    const send = (body, properties = {}) => {
      if (arena.closed) return;
      const message = { contentType: json, correlationId, ...properties };
      arena.channel.sendToQueue(replyTo, Buffer.from(body), message);
    };
    const value = arena.system.answer ? arena.system.answer({ n: 0 }) : { n: 0 };
    arena.answer(send, JSON.stringify(value));
  };
  await arena.listen('numbered', hear, { noAck: true });
  arena.answer = replies[0].answer;
  arena.warm = () => arena.ask({ call: { n: 0 }, timeout: TIMEOUT });
}

/**
 * Lets a client call while the other side answers like this.
 *
 * @param {Arena} arena
 * @param {Reply} input
 * @returns {Promise<Judgement>}
 */
export async function reply(arena, input) {
  arena.child.forget();
  arena.answer = input.answer;
  const outcome = await arena.ask({ call: { n: 0 }, timeout: TIMEOUT }, TIMEOUT + PATIENCE / 2);
  const crashed = arena.child.ended;
  arena.answer = replies[0].answer;
  const next = crashed ? undefined : await arena.ask({ call: { n: 0 }, timeout: TIMEOUT });
  return { ...verdict(input, outcome, crashed), ...(next?.ok || crashed ? {} : { hung: true }) };
}

/**
 * @param {Reply} input
 * @param {import('../harness/child.mjs').Settled<string> | undefined} outcome
 * @param {boolean} crashed
 * @returns {Judgement}
 */
function verdict({ expect }, outcome, crashed) {
  if (crashed) return { outcome: 'crashed', clear: false };
  if (outcome === undefined) return { outcome: 'never settled', clear: false };
  const { ok, value, error, ms } = outcome;
  if (ok) {
    const right = value === '{"n":0}' || (expect === 'either' && ['', 'undefined'].includes(value));
    if (right) return { outcome: 'resolved', clear: true };
    return { outcome: `resolved with \`${value}\``, clear: false };
  }
  const name = error.split(':')[0];
  if (expect === 'timeout') return { outcome: `${name} after ${ms} ms`, clear: ms < TIMEOUT + 500 };
  if (ms >= TIMEOUT) return { outcome: 'waited out its time', clear: false };
  return { outcome: `${name} in ${ms} ms`, clear: expect !== 'value' };
}
