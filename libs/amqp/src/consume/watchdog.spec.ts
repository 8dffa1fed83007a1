// When a consumer is renewed: when the broker says twice that there is none, or gives it nothing although it could take
// more. Not for a single answer, and not while its handlers are busy.
import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../connection/connection.js';
import { counters } from '../events/events.js';
import { SILENT } from '../runtime/logger.js';
import { Events } from '../events/emitter.js';
import { REFRESH } from './readiness.js';
import { Watchdog, type Watched } from './watchdog.js';

/** `answers` of the broker, one for each question; the last one again and again. */
function watching(
  replies: ({ messages: number; consumers: number } | Error)[],
  facts: Partial<Watched> = {},
) {
  const timers: (() => void)[] = [];
  let asked = 0;
  const renewed: (string | undefined)[] = [];
  const watched: { -readonly [key in keyof Watched]: Watched[key] } = {
    ...{
      queue: 'q',
      life: 1,
      delivered: 5,
      free: true,
      mayIdle: false,
      counted: true,
      mayBeCutOff: false,
      since: undefined,
    },
    ...facts,
  };
  const connection = {
    ...{ state: 'open', blocked: false },
    withChannel: (use: (channel: object) => Promise<unknown>) =>
      use({
        checkQueue: () => {
          const reply = replies[Math.min(asked++, replies.length - 1)];
          if (reply instanceof Error) throw reply;
          const { messages, consumers } = reply;
          return Promise.resolve({ messageCount: messages, consumerCount: consumers });
        },
      }),
  };
  const watchdog = new Watchdog({
    ...{ connection: connection as unknown as Connection, every: 1_000, counters: counters() },
    clock: {
      ...{ wall: () => 0, monotonic: () => 0 },
      after: (ms, call) => (ms === 1_000 && timers.push(call), () => undefined),
    },
    ...{ events: new Events(SILENT, 'test'), logger: SILENT },
    consumers: [{ watched: () => watched, overdue: () => undefined, renew: (why) => void renewed.push(why) }],
  });
  watchdog.start();
  const round = async (): Promise<number> => {
    timers.shift()?.();
    for (let n = 0; timers.length === 0 && n < 100; n++)
      await new Promise((resolve) => setImmediate(resolve));
    return renewed.length;
  };
  return { round, renewed, watched };
}

const WELL = { messages: 0, consumers: 1 };
const GONE = { messages: 0, consumers: 0 };
const IDLE = { messages: 3, consumers: 1 };

describe('a consumer', () => {
  it('that the broker misses once is left alone, one that it misses twice is renewed', async () => {
    expect(await watching([GONE, WELL]).round()).toBe(0);
    expect(await watching([GONE, GONE]).round()).toBe(1);
    expect(await watching([WELL]).round()).toBe(0);
  });

  it('that gets nothing from one round to the next, although messages are ready, is renewed', async () => {
    const { round } = watching([IDLE]);
    expect([await round(), await round()]).toEqual([0, 1]);
  });

  it('of a stream, whose consumers the broker does not count, is renewed only without its queue', async () => {
    expect(await watching([GONE], { counted: false }).round()).toBe(0);
    const missing = Object.assign(new Error('NOT_FOUND'), { code: 404 });
    expect(await watching([missing], { counted: false }).round()).toBe(1);
  });

  it('that may be cut off is renewed after six rounds without a delivery, and that counts as no loss', async () => {
    const { round, renewed, watched } = watching([WELL], { mayBeCutOff: true });
    const rounds = async (times: number): Promise<number> => {
      for (let n = 1; n < times; n++) await round();
      return round();
    };
    expect(await rounds(6)).toBe(0);
    watched.delivered++;
    expect(await rounds(6)).toBe(0);
    watched.mayBeCutOff = false;
    expect(await rounds(3)).toBe(0);
    watched.mayBeCutOff = true;
    expect([await round(), renewed]).toEqual([1, [REFRESH]]);
    watched.life = 2;
    expect(await rounds(6)).toBe(1);
  });

  it.each([{ free: false }, { mayIdle: true }])('may get nothing when it is %j', async (facts) => {
    const { round } = watching([IDLE], facts);
    expect([await round(), await round(), await round()]).toEqual([0, 0, 0]);
  });
});
