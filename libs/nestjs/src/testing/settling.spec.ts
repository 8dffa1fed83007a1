// What `advance` waits for before it moves time on.
import { expect, it } from '@jest/globals';
import { Settling } from './rabbit-testing.js';

const PATIENCE = 40;

async function waited(settling: Settling): Promise<number> {
  const began = performance.now();
  await settling.settled();
  return performance.now() - began;
}

it('a handler that waited for time is waited for again once it has ended, whatever its queue is called', async () => {
  let all: string[] = [];
  const settling = new Settling(() => all, PATIENCE);
  all = ["1 unsettled from 'jobs'"];
  expect(await waited(settling)).toBeGreaterThanOrEqual(PATIENCE);
  expect(await waited(settling)).toBeLessThan(PATIENCE);
  all = [];
  await settling.settled();
  all = ["1 unsettled from 'jobs'"];
  expect(await waited(settling)).toBeGreaterThanOrEqual(PATIENCE);
});

it('what waits for time costs no patience while others come and go beside it, which are waited for', async () => {
  let all = ["1 unsettled from 'slow'"];
  const settling = new Settling(() => all, PATIENCE);
  await settling.settled();
  all = ["1 unsettled from 'slow'", "1 unsettled from 'quick'"];
  let ended = false;
  const done = settling.settled().then(() => (ended = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toBe(false);
  all = ["1 unsettled from 'slow'"];
  await done;
  expect(await waited(settling)).toBeLessThan(PATIENCE);
});
