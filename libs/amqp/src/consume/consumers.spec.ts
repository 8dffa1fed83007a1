// Handlers that are added while the consumers end.

import { expect, it } from '@jest/globals';
import { SILENT } from '../runtime/logger.js';
import { systemClock } from '../runtime/clock.js';
import { settings } from '../options/settings.js';
import { Consumers, type ConsumersOptions } from './consumers.js';

it('one that is added when they end is refused, also when it waited for its way to reply meanwhile', async () => {
  let started = (): void => undefined;
  const asked: string[] = [];
  const consumers = new Consumers({
    handlers: [],
    topology: { exchanges: [], queues: [], bindings: [] },
    connection: new Proxy({}, { get: (_, name) => (asked.push(String(name)), undefined) }),
    shared: { clock: systemClock, logger: SILENT, settings: settings({}) },
    callServer: () => ({
      start: () => new Promise<void>((resolve) => (started = resolve)),
      stopStreams: () => undefined,
      close: () => Promise.resolve(),
    }),
  } as unknown as ConsumersOptions);
  const plan = { id: 'late', queue: { name: 'late' }, rpc: {} };
  const topology = { exchanges: [], queues: [], bindings: [] };
  const added = consumers.add(plan as never, topology, { over: false });
  const ended = consumers.drain(new Promise(() => undefined));
  started();
  await expect(added).rejects.toThrow(/was closed before the consumer of 'late' was ready/);
  await ended;
  expect([consumers.status(), asked]).toEqual([[], []]);
});
