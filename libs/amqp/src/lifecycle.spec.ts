// How long a start waits, and for what.
import { expect, it } from '@jest/globals';
import { SILENT } from './runtime/logger.js';
import { settings } from './options/settings.js';
import { begin, type Beginning } from './lifecycle.js';

const HOURS = 10 * 3_600_000;

/** A start whose connections open and whose consumer never begins; what it waits with, and how it ended. */
function starting(startup: 'require' | 'background') {
  let now = 0;
  const timers: { due: number; call: () => void }[] = [];
  const clock = {
    ...{ wall: () => 0, monotonic: () => now },
    after: (ms: number, call: () => void) => (timers.push({ due: now + ms, call }), () => undefined),
  };
  const asked: (number | undefined)[] = [];
  const consumers = { start: () => new Promise(() => undefined), status: () => [] };
  const connections = {
    publish: { state: 'idle' },
    opened: (timeout: number | undefined) => (asked.push(timeout), Promise.resolve()),
  };
  const ended = { how: 'not yet' };
  const control = { start: () => Promise.resolve() };
  const given = { clock, connections, consumers, control, plan: undefined };
  begin({
    ...(given as unknown as Beginning),
    settings: settings({ startup, startupTimeout: 1_000, logger: SILENT }),
  }).then(
    () => (ended.how = 'ready'),
    (error: unknown) => (ended.how = (error as Error).message),
  );
  const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const pass = async (ms: number): Promise<void> => {
    await turns();
    now += ms;
    for (const { due, call } of timers) if (due <= now) call();
    await turns();
  };
  return { asked, ended, pass };
}

it("a start is given up after startupTimeout, with 'background' never", async () => {
  const required = starting('require');
  await required.pass(999);
  expect(required.ended.how).toBe('not yet');
  await required.pass(1);
  expect(required.ended.how).toContain('startupTimeout');
  expect(required.asked).toEqual([1_000]);

  const patient = starting('background');
  await patient.pass(HOURS);
  expect(patient.ended.how).toBe('not yet');
  expect(patient.asked).toEqual([undefined]);
});
