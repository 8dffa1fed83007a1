import { describe, expect, it } from '@jest/globals';
import { NO_PROPERTIES } from '../wire/properties.js';
import { Message } from './message.js';
import { StreamLog, type StreamLimits } from './stream-log.js';

const bodyOf = (size: number): Message => new Message('', ['q'], NO_PROPERTIES, Buffer.alloc(size));

function filled(
  limits: Partial<StreamLimits>,
  times: readonly number[],
): { log: StreamLog; dropped: number[] } {
  const dropped: number[] = [];
  const all = { maxBytes: Infinity, maxAge: Infinity, segmentBytes: 100, ...limits };
  const log = new StreamLog(all, (_, entry) => dropped.push(entry));
  for (const [offset, time] of times.entries()) log.append(bodyOf(48), time, offset);
  return { log, dropped };
}

describe('the log of a stream', () => {
  const hundred = Array.from({ length: 100 }, (_, n) => n);

  it('keeps everything without limits, and finds it by offset and by time', () => {
    const { log, dropped } = filled({}, hundred);
    expect([log.first, log.next, log.length, dropped.length]).toEqual([0, 100, 100, 0]);
    for (const offset of hundred) expect(log.at(offset)).toBeDefined();
    expect([log.at(-1), log.at(100)]).toEqual([undefined, undefined]);
    expect([log.since(-5), log.since(41), log.since(99), log.since(100)]).toEqual([0, 41, 99, 100]);
  });

  it('drops the oldest by segments, in order, when there are too many bytes', () => {
    const { log, dropped } = filled({ maxBytes: 1000 }, hundred);
    expect(dropped).toEqual(hundred.slice(0, log.first));
    expect(log.length).toBeGreaterThan(16);
    expect(log.length).toBeLessThan(28);
    expect(log.at(log.first - 1)).toBeUndefined();
    expect(log.at(log.first)).toBeDefined();
  });

  it('drops what is too old when something comes', () => {
    const { log } = filled({ maxAge: 20 }, hundred);
    expect(log.first).toBeGreaterThan(70);
    expect(log.first).toBeLessThanOrEqual(80);
    log.append(bodyOf(1), 1000);
    expect(log.length).toBe(1);
  });

  it('begins where it ended, when it is made again', () => {
    const log = new StreamLog({ maxBytes: Infinity, maxAge: Infinity, segmentBytes: 100 }, () => undefined);
    log.begin(7);
    expect([log.first, log.append(bodyOf(1), 0), log.length]).toEqual([7, 7, 1]);
  });

  it('lets go of everything', () => {
    const { log, dropped } = filled({}, hundred);
    log.clear();
    expect([log.length, dropped.length]).toEqual([0, 100]);
  });
});
