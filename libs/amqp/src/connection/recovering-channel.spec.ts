import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../runtime/clock.js';
import type { LiveChannel } from './channel.js';
import type { Connection } from './connection.js';
import { RecoveringChannel, type RecoveringChannelOptions } from './recovering-channel.js';

/** A channel; `frozen`: its close is never answered. */
function channel(frozen = false) {
  let resolve: (reason: string) => void = () => undefined;
  const closed = new Promise<string>((settle) => (resolve = settle));
  const made = {
    alive: true,
    closed,
    end: (reason: string) => {
      made.alive = false;
      resolve(reason);
    },
    close: () => {
      if (!frozen) made.end('closed');
      return frozen ? new Promise<void>(() => undefined) : Promise.resolve();
    },
  };
  return made;
}

/** A lease whose waits are over as soon as they are asked for, and written down. */
function recovering(channels: ReturnType<typeof channel>[], options: Partial<RecoveringChannelOptions> = {}) {
  const waits: number[] = [];
  const opened: ReturnType<typeof channel>[] = [];
  let asked = (): void => undefined;
  const clock: Clock = {
    wall: () => 0,
    monotonic: () => 0,
    after: (ms, call) => {
      waits.push(ms);
      setImmediate(call);
      return () => undefined;
    },
  };
  const connection = {
    opened: () => Promise.resolve(),
    openChannel: () => {
      const next = channels[opened.length];
      if (!next) return new Promise(() => asked());
      opened.push(next);
      return Promise.resolve(next as unknown as LiveChannel);
    },
  } as unknown as Connection;
  const reconnect = { min: 100, max: 10_000 };
  const made = new RecoveringChannel({ connection, kind: 'plain', clock, reconnect, ...options });
  const used = new Promise<void>((resolve) => (asked = resolve));
  return { made, waits, opened, used };
}

describe('a channel that comes back', () => {
  it('rests for a minute and more when it is told to, until it was ready', async () => {
    const channels = Array.from({ length: 10 }, () => channel());
    let set = 0;
    const refused = recovering(channels, {
      // Every second failure is one to rest after; the ninth one gets ready, and dies.
      setup: () => (++set === 9 ? Promise.resolve() : Promise.reject(new Error('no'))),
      onFailed: () => set % 2 === 0 && refused.made.rest(),
      onReady: (ready) => ready.end('lost'),
    });
    refused.made.start();
    await refused.used;
    const waits = refused.waits.filter((ms) => ms !== 500).map((ms) => ms / 60_000);
    expect(waits.filter((_, n) => n % 2 === 1)).toEqual([1, 2, 4, 8, 1]);
    expect(Math.max(...waits.filter((_, n) => n % 2 === 0))).toBeLessThan(1);
  });

  it('is waited for longer each time that it cannot be set up, and shortly again after it was ready', async () => {
    const channels = Array.from({ length: 7 }, () => channel());
    let set = 0;
    const failing = recovering(channels, {
      // The sixth one gets ready, and dies.
      setup: () => (++set === 6 ? Promise.resolve() : Promise.reject(new Error('no'))),
      onReady: (ready) => ready.end('lost'),
    });
    failing.made.start();
    await failing.used;
    // Closing a channel has a timer too, of 500 ms.
    const waits = failing.waits.filter((ms) => ms !== 500);
    expect(waits).toHaveLength(7);
    waits.slice(0, 5).forEach((ms, n) => {
      expect(ms).toBeGreaterThanOrEqual(50 * 2 ** n);
      expect(ms).toBeLessThanOrEqual(100 * 2 ** n);
    });
    expect(waits[5]).toBeLessThanOrEqual(50);
    expect(waits[6]).toBeLessThanOrEqual(100);
  });

  it('is replaced when it is to be renewed before it is ready: a cancel may come with the consume-ok', async () => {
    const channels = [channel(), channel()];
    let ready = (): void => undefined;
    const second = new Promise<void>((resolve) => (ready = resolve));
    let set = 0;
    const { made } = recovering(channels, {
      setup: () => Promise.resolve(set++ === 0 ? made.renew() : undefined),
      onReady: (one) => one === (channels[1] as unknown) && ready(),
    });
    made.start();
    await second;
    expect(channels.map(({ alive }) => alive)).toEqual([false, true]);
  });

  it('is given up when its close is never answered', async () => {
    const channels = [channel(true), channel()];
    let ready = (): void => undefined;
    const both = new Promise<void>((resolve) => (ready = resolve));
    const { made, opened, waits } = recovering(channels, {
      onReady: (one) => {
        if (one === (channels[0] as unknown)) made.renew();
        else ready();
      },
    });
    made.start();
    await both;
    expect(opened).toEqual(channels);
    expect(channels[0].alive).toBe(false);
    expect(waits).toContain(500);
    expect(await channels[0].closed).toBe('the broker did not confirm its close in time');
  });

  it('that is closed while it is set up ends, without a word about the failure, and none is opened again', async () => {
    const channels = [channel(), channel()];
    let begun = (): void => undefined;
    const setUp = new Promise<void>((resolve) => (begun = resolve));
    const failures: unknown[] = [];
    const { made, opened } = recovering(channels, {
      setup: () => (begun(), new Promise(() => undefined)),
      onFailed: (error) => void failures.push(error),
    });
    made.start();
    await setUp;
    await made.close();
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([channels[0].alive, opened.length, failures, made.current]).toEqual([false, 1, [], undefined]);
  });

  it('that is closed while it waits to be opened again is not opened', async () => {
    const channels = [channel(), channel()];
    let wake = (): void => undefined;
    let paused = (): void => undefined;
    const pause = new Promise<void>((resolve) => (paused = resolve));
    const clock: Clock = {
      wall: () => 0,
      monotonic: () => 0,
      after: (ms, call) => {
        // The end of a channel has a timer of its own.
        if (ms !== 500) [wake] = [call, paused()];
        return () => undefined;
      },
    };
    const { made, opened } = recovering(channels, { clock, onReady: (ready) => ready.end('lost') });
    made.start();
    await pause;
    await made.close();
    wake();
    await new Promise((resolve) => setImmediate(resolve));
    expect(opened).toHaveLength(1);
  });

  it.each(['opened', 'openChannel'] as const)(
    'of a connection that ends for good (%s) is not opened, and nobody is told',
    async (when) => {
      const failures: unknown[] = [];
      const gone = Promise.reject(new Error('closed'));
      gone.catch(() => undefined);
      let made: RecoveringChannel | undefined = undefined;
      const connection = {
        opened: () => (when === 'opened' ? gone : Promise.resolve()),
        openChannel: () => (void (made as unknown as RecoveringChannel).close(), gone),
      } as unknown as Connection;
      made = recovering([], { connection, onFailed: (error) => void failures.push(error) }).made;
      made.start();
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      await made.close();
      expect([failures, made.current]).toEqual([[], undefined]);
    },
  );
});
