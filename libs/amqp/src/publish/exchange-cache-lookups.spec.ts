// What is known of exchanges, so that the broker is asked seldom: once in a life of the connection, once at a time, and not
// again for a while where it said no.

import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../connection/connection.js';
import type { ExchangeSpec } from '../topology/specs.js';
import { ChannelCloseReasons } from './channel-replacement.js';
import { ExchangeCache } from './exchange-cache.js';

const REFUSED =
  "Operation failed: ExchangeDeclare; 403 (ACCESS-REFUSED) with message \"ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'\"";

const described: ExchangeSpec = {
  ...{ name: 'x', type: 'topic', durable: true, autoDelete: false, internal: false },
  ...{ arguments: {}, declare: 'create', declaredBy: 'a module' },
};

/** `answer` is what the broker says to each question. */
function exchangeCache(answer: (asked: string) => Promise<unknown>, spec?: ExchangeSpec) {
  const asked: string[] = [];
  const ask = (what: string): Promise<unknown> => {
    asked.push(what);
    return answer(what);
  };
  const channel = {
    checkExchange: (name: string) => ask(`look for ${name}`),
    assertExchange: (name: string) => ask(`declare ${name}`),
    checkQueue: (name: string) => ask(`look for queue ${name}`),
    assertQueue: (name: string) => ask(`declare queue ${name}`),
    bindQueue: (name: string, source: string) => ask(`bind ${name} to ${source}`),
  };
  const connection = {
    life: 1,
    opened: () => Promise.resolve(),
    withChannel: (use: (given: unknown) => Promise<unknown>) => use(channel),
  };
  const time = { now: 0 };
  const clock = {
    wall: () => time.now,
    monotonic: () => time.now,
    after: (_ms: number, call: () => void) => (setImmediate(call), () => undefined),
  };
  const told: string[] = [];
  const given = { connection: connection as unknown as Connection, clock };
  const closeReasons = new ChannelCloseReasons({
    ...given,
    onForbidden: ({ message }) => void told.push(message),
  });
  const made = new ExchangeCache({
    ...given,
    closeReasons,
    describe: () => spec,
    ...{
      topology: { bind: () => Promise.resolve(), look: () => Promise.resolve() },
      service: 'test',
      onWait: () => undefined,
    },
  });
  return { made, asked, connection, time, told };
}

describe('destinations', () => {
  it('ask for an exchange once in each life of the connection', async () => {
    const { made, asked, connection } = exchangeCache(() => Promise.resolve());
    expect(made.isKnown('')).toBe(true);
    for (let n = 0; n < 3; n++) await made.ensure('x');
    expect([asked, made.isKnown('x')]).toEqual([['look for x'], true]);
    connection.life++;
    expect([made.isKnown('x'), made.isKnown('')]).toEqual([false, true]);
    await made.ensure('x');
    expect(asked).toHaveLength(2);
  });

  it('declare what is described', async () => {
    const { made, asked } = exchangeCache(() => Promise.resolve(), described);
    await made.ensure('x');
    expect(asked).toEqual(['declare x']);
  });

  it('ask one question at a time, however many wait for the answer and however long', async () => {
    let answer: () => void = () => undefined;
    const { made, asked } = exchangeCache(() => new Promise<void>((resolve) => (answer = resolve)));
    const all = Array.from({ length: 1_000 }, () => made.ensure('x'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toHaveLength(1);
    answer();
    expect(await Promise.all(all)).toHaveLength(1_000);
  });

  it('do not ask again for 5 s what the broker refused, and say it once', async () => {
    const { made, asked, time, told } = exchangeCache(() => Promise.reject(new Error(REFUSED)), described);
    for (let n = 0; n < 3; n++) {
      await expect(made.ensure('x')).rejects.toMatchObject({
        code: 'WARREN_ACCESS_REFUSED',
        permission: 'configure',
      });
    }
    expect([asked.length, told.length]).toEqual([1, 1]);
    time.now = 4_999;
    await expect(made.ensure('x')).rejects.toThrow();
    expect(asked).toHaveLength(1);
    time.now = 5_000;
    await expect(made.ensure('x')).rejects.toThrow();
    expect([asked.length, told.length]).toEqual([2, 1]);
  });

  it('take for there what this user may not look for', async () => {
    const { made, asked } = exchangeCache(() => Promise.reject(new Error(REFUSED)));
    await made.ensure('x');
    await made.ensureQueue('x');
    expect([made.isKnown('x'), asked]).toEqual([true, ['look for x', 'look for queue x']]);
  });

  it('believe what an answer says of its own life of the connection only', async () => {
    let answer: () => void = () => undefined;
    const { made, connection } = exchangeCache(() => new Promise<void>((resolve) => (answer = resolve)));
    const asked = made.ensure('x');
    await new Promise((resolve) => setImmediate(resolve));
    connection.life++;
    expect(made.isKnown('x')).toBe(false);
    answer();
    await asked;
    expect(made.isKnown('x')).toBe(false);
  });

  it('declare what retries need again after a minute, and in each life of the connection', async () => {
    const { made, connection, time } = exchangeCache(() => Promise.resolve());
    const declared = (): boolean[] => [made.isWaiting(1_000, { kind: 'retry' }), made.isBack('q')];
    const declare = async (): Promise<void> => {
      await made.ensureWait(1_000, { kind: 'retry' });
      await made.ensureBack('q');
    };
    await declare();
    time.now = 59_999;
    expect(declared()).toEqual([true, true]);
    time.now = 60_000;
    expect(declared()).toEqual([false, false]);
    await declare();
    expect(declared()).toEqual([true, true]);
    connection.life++;
    expect(declared()).toEqual([false, false]);
  });

  it('forget an exchange that a publish did not find, and that one only', async () => {
    const { made } = exchangeCache(() => Promise.resolve());
    await made.ensure('x');
    await made.ensure('y');
    made.refused({ exchange: 'x', topic: undefined, error: undefined });
    expect([made.isKnown('x'), made.isKnown('y')]).toEqual([false, true]);
  });
});
