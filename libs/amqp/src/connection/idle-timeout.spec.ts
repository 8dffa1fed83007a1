import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { ChannelModel } from 'amqplib';
import { onIdle } from './connect.js';

afterEach(() => void jest.restoreAllMocks());

/** What a silent peer's connection says of its end, `ms` after it was last looked at. */
function end(...ms: number[]): string[] {
  let now = 1_000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const connection = { heartbeat: 10, stream: { bytesRead: 5 } };
  const model = Object.assign(new EventEmitter(), { connection }) as unknown as ChannelModel;
  const over = new AbortController();
  const reason = onIdle(model, over.signal, () => undefined);
  const said = ms.map((each) => {
    now += each;
    return reason('closed');
  });
  over.abort();
  return said;
}

describe('the end of a connection', () => {
  it('of a process that was busy for long is told as that', () => {
    expect(end(500, 35_500)).toEqual([
      'closed',
      "no heartbeat; this process's event loop was blocked for 35s (closed)",
    ]);
  });

  it('long after that, or without it, is only what it is', () => {
    const calm = Array.from({ length: 30 }, () => 500);
    expect(end(35_500, ...calm).at(-1)).toBe('closed');
    expect(end(...calm)).toEqual(calm.map(() => 'closed'));
  });
});

describe('a peer', () => {
  afterEach(() => void jest.useRealTimers());

  /** Its connection, with a heartbeat of ten seconds, after `ms` in which it sent so many bytes each second. */
  function after(ms: number, bytesPerSecond: number, closed = false) {
    jest.useFakeTimers();
    const stream = { bytesRead: 0 };
    const model = Object.assign(new EventEmitter(), { connection: { heartbeat: 10, stream } });
    const said: string[] = [];
    onIdle(model as unknown as ChannelModel, new AbortController().signal, (why) => said.push(why));
    if (closed) model.emit('close');
    for (let passed = 0; passed < ms; passed += 500) {
      stream.bytesRead += bytesPerSecond / 2;
      jest.advanceTimersByTime(500);
    }
    return { said, timers: jest.getTimerCount() };
  }

  it('that says nothing is given up after two heartbeats', () => {
    expect(after(19_500, 0)).toEqual({ said: [], timers: 1 });
    expect(after(20_000, 0)).toEqual({ said: ['Heartbeat timeout: nothing received for 20 s'], timers: 0 });
  });

  it('that says anything is not', () => {
    expect(after(60_000, 2).said).toEqual([]);
  });

  it('whose connection has ended is not looked at any more', () => {
    expect(after(60_000, 0, true)).toEqual({ said: [], timers: 0 });
  });
});
