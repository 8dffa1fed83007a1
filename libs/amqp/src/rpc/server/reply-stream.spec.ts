// The sending end of a stream: credit, the generator's `finally`, signs of life.
import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../../runtime/clock.js';
import { Credit, KEEP_ALIVE, READER_IDLE, streamOut, type ItemSender } from './reply-stream.js';

/** A clock that moves when it is told to. */
function movedClock(): Clock & { move(ms: number): void } {
  let now = 0;
  const timers = new Set<{ at: number; callback: () => void }>();
  return {
    wall: () => 0,
    monotonic: () => now,
    after(ms, callback) {
      const timer = { at: now + ms, callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    move(ms) {
      now += ms;
      for (const timer of [...timers]) {
        if (timer.at <= now && timers.delete(timer)) timer.callback();
      }
    },
  };
}

function streaming(items: AsyncIterable<unknown>, credit = 10, forwarder: Partial<ItemSender> = {}) {
  const sent: string[] = [];
  const controller = new AbortController();
  const context = {
    credit: new Credit(credit),
    keepAlive: KEEP_ALIVE,
    clock: movedClock(),
    signal: controller.signal,
    gone: (reason: Error) => controller.abort(reason),
    forwarder: {
      item: (value: unknown, sequence: number) => {
        sent.push(`${sequence}=${String(value)}`);
        return { bytes: 1, arrived: Promise.resolve() };
      },
      alive: () => Promise.resolve(void sent.push('alive')),
      end: (count: number) => Promise.resolve(void sent.push(`end ${count}`)),
      ...forwarder,
    },
  };
  return { sent, context, controller, result: streamOut(items, context) };
}

/** Counts up, and writes down when it was stopped. */
async function* numbers(upTo: number, stopped: string[] = []): AsyncGenerator<number> {
  try {
    for (let n = 1; n <= upTo; n++) yield await Promise.resolve(n);
  } finally {
    stopped.push('finally');
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the sending end of a stream', () => {
  it('sends every item and how many there were', async () => {
    const { sent, result } = streaming(numbers(3));
    expect(await result).toBe(3);
    expect(sent).toEqual(['1=1', '2=2', '3=3', 'end 3']);
  });

  it('takes nothing from the generator beyond its credit', async () => {
    const stopped: string[] = [];
    const { sent, context, result } = streaming(numbers(5, stopped), 2);
    await turn();
    expect(sent).toEqual(['1=1', '2=2']);
    context.credit.read(2);
    await turn();
    expect(sent).toEqual(['1=1', '2=2', '3=3', '4=4']);
    // Said again, said late, or nonsense.
    for (const total of [2, 1, -5, NaN, 1.5]) context.credit.read(total);
    await turn();
    expect(sent).toHaveLength(4);
    // Nobody can have read what was not sent.
    context.credit.read(1_000);
    expect(await result).toBe(5);
    expect(stopped).toEqual(['finally']);
  });

  it('takes no more than is confirmed in time, whatever the credit', async () => {
    const arrivals: (() => void)[] = [];
    const { sent, context, controller, result } = streaming(numbers(100_000), 100_000, {
      item: (value) => ({
        bytes: 1_000_000,
        arrived: new Promise((resolve) => (sent.push(String(value)), arrivals.push(resolve))),
      }),
    });
    await turn();
    expect(sent).toHaveLength(5);
    arrivals[0]();
    await turn();
    expect(sent).toHaveLength(6);
    controller.abort(new Error('enough'));
    await expect(result).rejects.toThrow('enough');
    expect(context.credit.left).toBe(true);
  });

  it('runs the generator to its finally when the caller leaves, also while it waits for credit', async () => {
    const stopped: string[] = [];
    const { controller, result } = streaming(numbers(5, stopped), 1);
    await turn();
    controller.abort(new Error('left'));
    await expect(result).rejects.toThrow('left');
    await turn();
    expect(stopped).toEqual(['finally']);
  });

  it('leaves a generator that waits for something, without waiting for it', async () => {
    let next = (): void => undefined;
    const stopped: string[] = [];
    async function* stuck(): AsyncGenerator<number> {
      try {
        await new Promise<void>((resolve) => (next = resolve));
        yield 1;
      } finally {
        stopped.push('finally');
      }
    }
    const { controller, result } = streaming(stuck());
    await turn();
    controller.abort(new Error('left'));
    await expect(result).rejects.toThrow('left');
    next();
    await turn();
    expect(stopped).toEqual(['finally']);
  });

  it('ends with what the generator throws, after what it sent', async () => {
    async function* failing(): AsyncGenerator<number> {
      yield await Promise.resolve(1);
      throw new Error('disk full');
    }
    const { sent, result } = streaming(failing());
    await expect(result).rejects.toThrow('disk full');
    expect(sent).toEqual(['1=1']);
  });

  it('ends when an item cannot travel, and when the caller cannot be reached', async () => {
    const stopped: string[] = [];
    const unfit = streaming(numbers(3, stopped), 10, {
      item: () => {
        throw new Error('a function cannot travel');
      },
    });
    await expect(unfit.result).rejects.toThrow('cannot travel');
    const gone = streaming(numbers(1_000, stopped), 500, {
      item: () => ({ bytes: 1, arrived: Promise.reject(new Error('312')) }),
    });
    await expect(gone.result).rejects.toThrow('312');
    await turn();
    expect(stopped).toEqual(['finally', 'finally']);
  });

  it('gives a sign of life in every silence, and none when items flow', async () => {
    let next = (): void => undefined;
    async function* slow(): AsyncGenerator<number> {
      for (;;) {
        await new Promise<void>((resolve) => (next = resolve));
        yield 1;
      }
    }
    const { sent, context, controller, result } = streaming(slow());
    await turn();
    context.clock.move(KEEP_ALIVE - 1);
    next();
    await turn();
    context.clock.move(1);
    expect(sent).toEqual(['1=1']);
    context.clock.move(KEEP_ALIVE);
    context.clock.move(KEEP_ALIVE);
    expect(sent).toEqual(['1=1', 'alive', 'alive']);
    controller.abort(new Error('enough'));
    await expect(result).rejects.toThrow('enough');
    context.clock.move(10 * KEEP_ALIVE);
    expect(sent).toHaveLength(3);
  });

  it('ends when its reader does not get on for a minute, and lives as long as it does', async () => {
    const stopped: string[] = [];
    const { sent, context, result } = streaming(numbers(10, stopped), 1);
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    await settle();
    for (const read of [1, 2, 3]) {
      context.clock.move(READER_IDLE - 1);
      context.credit.read(read);
      await settle();
    }
    expect(sent.filter((what) => what !== 'alive')).toEqual(['1=1', '2=2', '3=3', '4=4']);
    context.clock.move(READER_IDLE);
    await expect(result).rejects.toMatchObject({ code: 'WARREN_READER_IDLE' });
    await settle();
    expect(stopped).toHaveLength(1);
  });
});
