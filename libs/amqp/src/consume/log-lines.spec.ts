// What the log says of single messages: which handler, which message, and nothing that has not happened.

import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../runtime/clock.js';
import { Delivery, named, type Verdict } from '../message/delivery.js';
import { DecodeError } from '../errors/errors.js';
import { Reject } from '../errors/signals.js';
import { retryPolicy } from '../options/retry-policy.js';
import type { Settings } from '../options/settings.js';
import type { LogFields } from '../runtime/log-events.js';
import type { Log } from '../runtime/logger.js';
import { reportWaiting, runningHandlers } from './shutdown-report.js';
import { Events } from '../events/emitter.js';
import { abortHandlers } from './abort-at-shutdown.js';
import { reporter } from './pipeline.js';
import type { HandlerContext } from './step.js';
import { type Unacked } from './settlement.js';

const sink = { settle() {}, warn() {} };

function delivery(messageId?: string, routingKey = 'order.created'): Delivery {
  const fields = { deliveryTag: 1, redelivered: false, exchange: 'e', routingKey };
  const message = { content: Buffer.from('1'), properties: { messageId }, ...fields };
  const made = new Delivery(message, 'orders', sink);
  made.handler = 'Orders.place';
  return made;
}

interface Line {
  readonly level: string;
  readonly text: string;
  readonly fields: LogFields;
}

function context(
  plan: object = {},
  stack: Settings['log']['stack'] = 'first-and-last',
): { context: HandlerContext; lines: string[]; written: Line[] } {
  const written: Line[] = [];
  const lines: string[] = [];
  const say =
    (level: string) =>
    (text: string, fields: LogFields): void => {
      lines.push(text);
      written.push({ level, text, fields });
    };
  const logger: Log = { log: say('log'), warn: say('warn'), error: say('error') };
  const retryOf = { retry: retryPolicy(undefined, 'test') };
  const made = {
    plan: {
      ...{ id: 'Orders.place', queue: { name: 'orders' }, registration: { kind: 'consume' }, ...retryOf },
      ...plan,
    },
    ...{ logger, events: new Events(logger, 'test'), clock: systemClock },
    settings: { shutdown: 30_000, log: { stack } },
    plugins: { logSuffix: () => '' },
  };
  return { context: made as never, lines, written };
}

class BankAway extends Error {}
class CardDeclined extends Error {}

/** The line of one failed attempt. */
function failed(
  verdict: Verdict,
  {
    plan = {},
    stack = 'first-and-last',
    attempt = 1,
    run = {},
  }: {
    readonly plan?: object;
    readonly stack?: Settings['log']['stack'];
    readonly attempt?: number;
    readonly run?: object;
  } = {},
): Line {
  const { context: own, written } = context(plan, stack);
  const one = delivery('m-1');
  Object.assign(one, { attempt });
  Object.assign(one.run, { sentOn: true, ...run });
  reporter(own)(verdict, one);
  expect(written).toHaveLength(1);
  return written[0];
}

const again = (error: unknown): Verdict => ({ kind: 'retry', after: 5_000, attempt: 3, error });
const DEAD: Verdict = { kind: 'dead-letter', reason: 'rejected', error: new Error('no') };
const FAILED =
  "Orders.place failed on message m-1 ('order.created') of queue 'orders' (attempt 1 of 5): Error: no";
const dead = (error: unknown, reason: 'rejected' | 'undecodable' = 'rejected'): Verdict => ({
  ...{ kind: 'dead-letter', reason, error },
});

describe('a message in the log', () => {
  it.each([
    ['m-1', 'order.created', "message m-1 ('order.created') of queue 'orders'"],
    ['m-1', 'orders', "message m-1 of queue 'orders'"],
    [undefined, 'orders', "a message without id of queue 'orders'"],
    ['', 'k', "a message without id ('k') of queue 'orders'"],
    ['a\nb', 'k\u001b', "message a\\x0ab ('k\\x1b') of queue 'orders'"],
  ])('with the id %j and the key %j', (id, key, text) => expect(named(delivery(id, key))).toBe(text));
});

describe('a dead letter', () => {
  const plan = { deadQueue: 'orders.dead' };

  it.each([
    [true, `${FAILED}; dead-lettered to 'orders.dead' (rejected)`],
    [false, `${FAILED}; the channel was lost meanwhile, so the broker delivers it again`],
  ])('is said when the broker has it, not before (%p)', (there, line) => {
    const { context: own, lines } = context(plan);
    const one = delivery('m-1');
    reporter(own)(DEAD, one);
    expect(lines).toEqual([]);
    one.run.whenSentOn?.(there);
    expect(lines).toEqual([line]);
  });

  it('is said at once where the broker has it by then, or where there is no queue for it', () => {
    const { context: own, lines } = context(plan);
    const one = delivery('m-1');
    one.run.sentOn = true;
    reporter(own)(DEAD, one);
    const without = context();
    reporter(without.context)(DEAD, delivery('m-1'));
    expect([...lines, ...without.lines]).toEqual([
      `${FAILED}; dead-lettered to 'orders.dead' (rejected)`,
      `${FAILED}; dropped, because the handler has no dead-letter queue (rejected)`,
    ]);
  });
});

describe('a failed attempt', () => {
  const caller = { registration: { kind: 'rpc' }, retry: retryPolicy(false, 'test') };
  const declaring = { ...caller, rpc: { known: new Map([['CardDeclined', CardDeclined]]) } };

  it('is one line: class, message, queue, handler, attempt, what happens next and when, and each is a field', () => {
    const { level, text, fields } = failed(again(new BankAway('503')), { attempt: 2 });
    expect(text).toBe(
      "Orders.place failed on message m-1 ('order.created') of queue 'orders' (attempt 2 of 5): BankAway: 503; attempt 3 in 5s",
    );
    expect([level, fields]).toEqual([
      'warn',
      {
        event: 'attempt-failed',
        ...{ handler: 'Orders.place', queue: 'orders', messageId: 'm-1', correlationId: 'm-1' },
        ...{ exchange: 'e', routingKey: 'order.created', attempt: 2, attempts: 5 },
        ...{ error: 'BankAway', errorMessage: '503', next: 'retry', retryIn: 5_000 },
      },
    ]);
  });

  it.each([
    ['first-and-last', 1, again, true],
    ['first-and-last', 2, again, false],
    ['first-and-last', 5, dead, true],
    ['every', 2, again, true],
    ['never', 1, again, false],
    ['never', 5, dead, false],
  ] as const)('with stack %j, attempt %i, has its stack or not', (stack, attempt, verdict, has) => {
    const { text, fields } = failed(verdict(new BankAway('503')), { stack, attempt });
    expect(text).not.toContain('\n');
    expect(fields.stack?.split('\n')[0]).toBe(has ? 'BankAway: 503' : undefined);
    if (has) expect(fields.stack).toMatch(/\n\s+at .*log-lines\.spec/);
  });

  it('whose error has line ends cannot write other lines into the log', () => {
    const error = new Error('a\n[Nest] 1 - ERROR forged', { cause: new BankAway('b\u001b[2J') });
    const { text, fields } = failed(dead(error));
    expect(`${text}\n${fields.stack}`.split('\n').filter((line) => !/^\s+at /.test(line))).toEqual([
      expect.stringContaining('Error: a\\x0a[Nest] 1 - ERROR forged'),
      'Error: a\\x0a[Nest] 1 - ERROR forged',
      'caused by BankAway: b\\x1b[2J',
    ]);
  });

  it('that chose its outcome has no stack, unless it names a cause', () => {
    expect(failed(dead(Reject('no such customer'))).fields.stack).toBeUndefined();
    expect(failed(dead(Reject('no', new BankAway('503')))).fields.stack).toMatch(/^BankAway: 503\n/);
  });

  it('of a call is one line, with the id that the caller got', () => {
    const { level, text, fields } = failed(dead(new BankAway('503')), {
      plan: caller,
      run: { errorId: 'x-1' },
    });
    expect([level, fields.event, fields.errorId, fields.next]).toEqual([
      ...['error', 'message-failed', 'x-1', 'reply'],
    ]);
    expect(text).toMatch(/\(attempt 1 of 1\): BankAway: 503; the caller got 'internal error x-1'$/);
  });

  it('with an error that the contract declares wakes nobody', () => {
    const { level, text, fields } = failed(dead(new CardDeclined('limit')), { plan: declaring });
    expect([level, fields.event, fields.stack]).toEqual(['log', 'declared-error', undefined]);
    expect(text).toMatch(/: CardDeclined: limit; the caller got the error$/);
  });

  it('does not claim that a handler ran which did not', () => {
    const { text, fields } = failed(dead(new DecodeError('not what it should be', ''), 'undecodable'), {
      plan: { deadQueue: 'orders.dead' },
      run: { refused: true },
    });
    expect(text).toBe(
      "Orders.place did not get message m-1 ('order.created') of queue 'orders': DecodeError: not what it should be; dead-lettered to 'orders.dead' (undecodable)",
    );
    expect(fields.stack).toBeUndefined();
  });
});

describe('a shutdown that waits', () => {
  it('names the handlers that run, and since when, after a second and then every five', () => {
    const { lines, context: own } = context();
    const timers: (readonly [number, () => void])[] = [];
    const clock = {
      ...systemClock,
      after: (ms: number, run: () => void) => (timers.push([ms, run]), () => undefined),
    };
    const [one, other] = [delivery('m-1', 'orders'), delivery('m-2', 'orders')];
    one.run.beganAt = 1_000;
    const report = (): string | undefined => runningHandlers([one, other], 4_000);
    reportWaiting(clock, own.logger, report);
    timers[0][1]();
    timers[1][1]();
    expect(timers.map(([ms]) => ms)).toEqual([1_000, 5_000, 5_000]);
    const line = "shutdown: waiting for 1 handler: Orders.place (message m-1 of queue 'orders', 3s)";
    expect(lines).toEqual([line, line]);
  });

  it('for nothing says nothing', () => {
    expect(runningHandlers([delivery('m-1')], 4_000)).toBeUndefined();
  });
});

describe('a shutdown whose time is over', () => {
  const given = async (plan: object, handler = 'Orders.place'): Promise<string[]> => {
    const { context: own, lines } = context(plan);
    const one = delivery('m-1', 'orders');
    one.handler = handler;
    const unacked = { deliveries: () => [one], orphans: () => [], none: () => Promise.resolve() };
    await abortHandlers(unacked as unknown as Unacked, 'orders', own);
    return lines;
  };

  it('says which handler did not finish which message, and what becomes of it', async () => {
    const start = "Orders.place did not finish message m-1 of queue 'orders' in time (shutdown: 30s); ";
    expect(await given({})).toEqual([`${start}it returns to 'orders'`]);
    expect(await given({ ack: 'none' })).toEqual([`${start}it is lost (ack: 'none')`]);
  });

  it('has no empty names for a message that no handler had begun', async () => {
    const [line] = await given({}, '');
    expect(line).toBe(
      "message m-1 of queue 'orders' was not handled in time (shutdown: 30s); it returns to 'orders'",
    );
  });
});
