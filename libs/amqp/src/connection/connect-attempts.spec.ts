import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../runtime/clock.js';
import { ConnectAttempts } from './connect-attempts.js';

/** Connections that wait, and a clock that is moved by hand. */
function waiting(names: readonly string[], ms = 100) {
  let timers: { readonly at: number; readonly call: () => void }[] = [];
  let now = 0;
  const clock: Clock = {
    wall: () => 0,
    monotonic: () => now,
    after: (wait, call) => {
      const timer = { at: now + wait, call };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
  };
  const attempts = new ConnectAttempts();
  const trying: string[] = [];
  const who = new Map(names.map((name) => [name, { name }]));
  const wait = (name: string): void =>
    void attempts.wait(who.get(name) as object, ms, clock).then(() => trying.push(name));
  for (const name of names) wait(name);
  const move = async (by: number): Promise<string[]> => {
    now += by;
    for (const timer of timers.filter(({ at }) => at <= now)) timer.call();
    await Promise.resolve();
    await Promise.resolve();
    return trying;
  };
  return { attempts, wait, move, of: (name: string) => who.get(name) as object };
}

describe('attempts to connect', () => {
  it('are made by one, while the others wait for it', async () => {
    const { wait, move } = waiting(['publish', 'consume', 'reply']);
    expect(await move(99)).toEqual([]);
    expect(await move(1)).toEqual(['publish']);
    wait('publish');
    expect(await move(10_000)).toEqual(['publish', 'publish']);
  });

  it('are made by all at once as soon as one is answered', async () => {
    const { attempts, move, of } = waiting(['publish', 'consume', 'reply']);
    await move(100);
    attempts.answered(of('publish'));
    expect((await move(0)).sort()).toEqual(['consume', 'publish', 'reply']);
  });

  it('go on with another one when the one that made them is closed', async () => {
    const { attempts, wait, move, of } = waiting(['publish', 'consume']);
    attempts.leave(of('publish'));
    expect(await move(0)).toEqual(['publish', 'consume']);
    wait('consume');
    expect(await move(100)).toEqual(['publish', 'consume', 'consume']);
  });

  it('are made at once by who waits and was answered by a side way', async () => {
    const { attempts, move, of } = waiting(['publish', 'consume']);
    // A third one was under way all the time.
    attempts.answered({});
    expect((await move(0)).sort()).toEqual(['consume', 'publish']);
    expect(of('publish')).toBeDefined();
  });

  it('move on to the next address once, however many found out that one is gone', () => {
    const { attempts } = waiting([]);
    attempts.failed(0);
    attempts.failed(0);
    expect(attempts.turn).toBe(1);
    attempts.failed(1);
    expect(attempts.turn).toBe(2);
  });
});
