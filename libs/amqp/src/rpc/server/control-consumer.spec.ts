// The queue in which callers say that they left: bounded, and no longer announced once it is gone.
import { expect, it } from '@jest/globals';
import type { LiveChannel } from '../../connection/channel.js';
import type { Connection } from '../../connection/connection.js';
import { systemClock } from '../../runtime/clock.js';
import { SILENT } from '../../runtime/logger.js';
import { settings } from '../../options/settings.js';
import { ActiveCalls } from './active-calls.js';
import { ControlConsumer } from './control-consumer.js';

it('a process that was refused its queue tries again a minute later', async () => {
  const FORBIDDEN = Object.assign(new Error('ACCESS_REFUSED'), { code: 403 });
  let refused = 0;
  const exchange = (): Promise<void> => (refused++ < 2 ? Promise.reject(FORBIDDEN) : Promise.resolve());
  const openChannel = (): Promise<LiveChannel> => {
    const channel = {
      ...{ alive: true, closed: new Promise(() => undefined) },
      end: () => void (channel.alive = false),
      close: () => Promise.resolve(channel.end()),
      declaring: {
        ...{ assertExchange: exchange, checkExchange: exchange },
        ...{ assertQueue: () => Promise.resolve(), bindQueue: () => Promise.resolve() },
      },
      consume: () => Promise.resolve('tag'),
    };
    return Promise.resolve(channel as unknown as LiveChannel);
  };
  const connection = { state: 'open', opened: () => Promise.resolve(), openChannel } as unknown as Connection;
  const calls = new ActiveCalls();
  let afterRest = (): void => undefined;
  const after = (ms: number, call: () => void): (() => void) => {
    if (ms === 60_000) afterRest = call;
    else setImmediate(call);
    return () => undefined;
  };
  const control = new ControlConsumer({
    ...{ connection, clock: { ...systemClock, after }, calls, handlers: [] },
    settings: settings({ service: 'shop', logger: SILENT }),
  });
  await control.start();
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await turns();
  expect([refused, calls.unreachable, calls.controlQueue]).toEqual([2, true, '']);
  afterRest();
  await turns();
  expect([calls.unreachable, control.isDeclaring]).toEqual([false, true]);
  expect(calls.controlQueue).toMatch(/^shop\.control\./);
  await control.close();
});

it('the queue of callers is bounded, goes with its process, and is not announced when it is lost', async () => {
  const declared: { name: string; options: object }[] = [];
  let end = (_reason: string): void => undefined;
  const closed = new Promise<string>((resolve) => (end = resolve));
  const channel = {
    ...{ alive: true, closed, end, close: () => (end('closed'), Promise.resolve()) },
    declaring: {
      assertExchange: () => Promise.resolve(),
      assertQueue: (name: string, options: object) => Promise.resolve(declared.push({ name, options })),
      bindQueue: () => Promise.resolve(),
    },
    consume: () => Promise.resolve('tag'),
  };
  let opened = 0;
  const connection = {
    ...{ state: 'open', opened: () => Promise.resolve() },
    // The second one never opens.
    openChannel: () =>
      opened++ === 0 ? Promise.resolve(channel as unknown as LiveChannel) : new Promise(() => 0),
  } as unknown as Connection;
  const calls = new ActiveCalls();
  const control = new ControlConsumer({
    ...{ connection, clock: systemClock, calls, handlers: [] },
    settings: settings({ service: 'shop', logger: SILENT }),
  });
  await control.start();
  expect(declared).toEqual([
    {
      name: calls.controlQueue,
      options: {
        ...{ exclusive: true, autoDelete: true, durable: false },
        arguments: { 'x-max-length': 10_000 },
      },
    },
  ]);
  expect(calls.controlQueue).toMatch(/^shop\.control\./);
  end('lost');
  await closed;
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls.controlQueue).toBe('');
  await control.close();
});
