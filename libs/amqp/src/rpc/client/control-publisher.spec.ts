// What callers have to say while nothing can be sent: the last word about each call, and of so many calls.
import { expect, it } from '@jest/globals';
import type { LiveChannel } from '../../connection/channel.js';
import type { Connection } from '../../connection/connection.js';
import { systemClock } from '../../runtime/clock.js';
import { SILENT } from '../../runtime/logger.js';
import type { OutgoingMessage } from '../../message/message.js';
import { settings } from '../../options/settings.js';
import { ChannelCloseReasons } from '../../publish/channel-replacement.js';
import { ControlPublisher } from './control-publisher.js';

it('a refusal is believed for a minute, and told once', async () => {
  const time = { now: 0 };
  const clock = { ...systemClock, monotonic: () => time.now };
  const connection = { state: 'open', blocked: false, life: 1, opened: () => new Promise(() => undefined) };
  const lines: string[] = [];
  let asked = 0;
  const line = new ControlPublisher({
    ...{ connection: connection as unknown as Connection, clock, closeReasons: {} as never },
    settings: settings({ logger: { ...SILENT, warn: (text) => void lines.push(text) } }),
    exchangeCache: {
      isKnown: () => false,
      ensure: () => (asked++, Promise.reject(new Error('refused'))),
    } as never,
  });
  const cancel = async (): Promise<void> => {
    line.tell({ kind: 'cancel', id: 'c' }, { exchange: 'events', routingKey: 'key' });
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (const now of [0, 1, 59_999]) {
    time.now = now;
    await cancel();
  }
  expect(asked).toBe(1);
  time.now = 60_000;
  await cancel();
  expect([asked, lines]).toEqual([2, [expect.stringContaining('cancellations cannot be sent')]]);
});

it('words that cannot be sent are kept, the last one of each call, of the last 10 000 calls', async () => {
  const said: { id: string; count: number }[] = [];
  const channel = {
    ...{ alive: true, socket: { writable: true }, closed: new Promise<string>(() => undefined) },
    listen: () => undefined,
    publish: ({ content }: OutgoingMessage) => said.push(JSON.parse(content.toString()) as (typeof said)[0]),
    ...{ close: () => Promise.resolve(), end: () => undefined },
  };
  let open = (): void => undefined;
  const opening = new Promise<LiveChannel>((resolve) => (open = () => resolve(channel as never)));
  const connection = {
    ...{ state: 'open', blocked: false, life: 1 },
    ...{ opened: () => Promise.resolve(), openChannel: () => opening },
  } as unknown as Connection;
  const closeReasons = new ChannelCloseReasons({
    connection,
    clock: systemClock,
    onForbidden: () => undefined,
  });
  const line = new ControlPublisher({
    ...{ connection, clock: systemClock, closeReasons, settings: settings({ logger: SILENT }) },
    exchangeCache: {} as never,
  });
  const queue = 'shop.control.01234567';
  for (let n = 0; n < 10_003; n++) line.tell({ kind: 'credit', id: `${n}`, count: 1 }, { queue });
  line.tell({ kind: 'credit', id: '5', count: 2 }, { queue });
  open();
  while (said.length < 10_000) await new Promise((resolve) => setImmediate(resolve));
  expect(said).toHaveLength(10_000);
  expect(said.slice(0, 2)).toMatchObject([{ id: '3' }, { id: '4' }]);
  expect(said.filter(({ id }) => id === '5')).toMatchObject([{ count: 2 }]);
  expect(said.at(-1)).toMatchObject({ id: '5' });
});
