// How often pages hear of a job, and which dead letters a replay has sent already.
import { describe, expect, it } from '@jest/globals';
import type { Clock } from '@warren/nestjs';
import type { Job } from '../api/dead-letters.js';
import { JobNews, Replayed } from './job-progress.js';

it('a job that changes with every message is told of four times a second, and its end at once', () => {
  let timers: (() => void)[] = [];
  const clock = {
    after: (_ms: number, call: () => void) => {
      timers.push(call);
      return () => (timers = timers.filter((each) => each !== call));
    },
  } as unknown as Clock;
  const told: [number, string][] = [];
  const news = new JobNews(clock, ({ done, state }) => told.push([done, state]));
  const job = { id: 'j', done: 0, state: 'running' } as { -readonly [Name in keyof Job]: Job[Name] };
  const run = (messages: number): void => {
    for (let n = 0; n < messages; n++) {
      job.done++;
      news.soon(job);
    }
  };
  const pass = (): void => timers.splice(0).forEach((call) => call());
  run(1_000);
  expect(told).toEqual([[1, 'running']]);
  pass();
  expect(told.at(-1)).toEqual([1_000, 'running']);
  pass();
  expect([told.length, timers.length]).toEqual([2, 0]);
  run(10);
  job.state = 'done';
  news.now(job);
  expect(told.slice(2)).toEqual([
    [1_001, 'running'],
    [1_010, 'done'],
  ]);
  pass();
  expect(told).toHaveLength(4);
});

const [BEFORE, SINCE, AFTER] = [new Date(900), 1_000, new Date(1_100)];

describe('a dead letter during a replay', () => {
  it('is back when its message was sent, whatever the clocks say', () => {
    const replayed = new Replayed(SINCE);
    replayed.add('sent');
    expect(replayed.isBack({ id: 'sent', failedAt: BEFORE })).toBe(true);
    expect(replayed.isBack({ id: 'other', failedAt: AFTER })).toBe(false);
  });

  it('without an id is back when it failed since the replay began', () => {
    const replayed = new Replayed(SINCE);
    replayed.add(undefined);
    expect(replayed.isBack({ id: undefined, failedAt: BEFORE })).toBe(false);
    expect(replayed.isBack({ id: undefined, failedAt: AFTER })).toBe(true);
    expect(replayed.isBack({ id: undefined, failedAt: undefined })).toBe(false);
  });

  it('among more than can be remembered is told by its time: it is not sent for ever', () => {
    const replayed = new Replayed(SINCE, 2);
    for (const id of ['one', 'two', 'three']) replayed.add(id);
    expect(replayed.isBack({ id: 'three', failedAt: AFTER })).toBe(true);
    expect(replayed.isBack({ id: 'two', failedAt: BEFORE })).toBe(true);
    expect(replayed.isBack({ id: 'four', failedAt: BEFORE })).toBe(false);
  });
});
