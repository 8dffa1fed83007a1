// An address that cost the connection of first answers is not tried again for a while; others are.
import { expect, it } from '@jest/globals';
import type { LiveChannel } from '../../connection/channel.js';
import type { Connection } from '../../connection/connection.js';
import { counters } from '../../events/events.js';
import { Deadlines } from '../../runtime/clock.js';
import { SILENT } from '../../runtime/logger.js';
import type { OutgoingMessage } from '../../message/message.js';
import { settings } from '../../options/settings.js';
import { Events } from '../../events/emitter.js';
import { ReplyConnections, ReplyPublisher } from './reply-connections.js';

const BAD = 'amq.rabbitmq.reply-to.bad';
const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
};

/** A broker that closes the connection for one address, and confirms what goes to others. */
function dangerous(published: string[]): Connection {
  const openChannel = (): Promise<LiveChannel> => {
    let end = (_reason: string): void => undefined;
    const closed = new Promise<string>((resolve) => (end = resolve));
    let confirm = (_number: number, _multiple: boolean, _outcome: 'confirmed'): void => undefined;
    let sent = 0;
    const channel = {
      ...{ alive: true, socket: { writable: true }, closed, close: () => Promise.resolve() },
      end: (reason: string) => ((channel.alive = false), end(reason)),
      listen: ({ onConfirm = confirm }) => (confirm = onConfirm),
      publish: ({ routingKey }: OutgoingMessage) => {
        published.push(routingKey);
        const number = ++sent;
        setImmediate(() => {
          if (routingKey === BAD) channel.end('Connection closed: 541 (INTERNAL-ERROR)');
          else confirm(number, false, 'confirmed');
        });
        return number;
      },
    };
    return Promise.resolve(channel as unknown as LiveChannel);
  };
  const connection = { state: 'open', blocked: false, life: 1, opened: () => Promise.resolve(), openChannel };
  return connection as unknown as Connection;
}

it('a reply that is not confirmed in time is sent once more, with as much time again', async () => {
  const time = { now: 1_000, timers: [] as { at: number; call: () => void }[] };
  const clock = {
    ...{ wall: () => time.now, monotonic: () => time.now },
    after: (ms: number, call: () => void) => {
      const timer = { at: time.now + ms, call };
      time.timers.push(timer);
      return () => void (time.timers = time.timers.filter((other) => other !== timer));
    },
  };
  const pass = async (ms: number): Promise<void> => {
    const end = time.now + ms;
    for (;;) {
      await turns();
      const [next] = time.timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (!next) break;
      time.timers = time.timers.filter((other) => other !== next);
      time.now = Math.max(time.now, next.at);
      next.call();
    }
    time.now = end;
  };
  const published: string[] = [];
  const replies = new ReplyPublisher({
    ...{ connection: silentAtFirst(published), clock, counters: counters() },
    settings: settings({ logger: SILENT, reconnect: { min: 10, max: 20 }, publish: { timeout: '5s' } }),
    ...{ deadlines: new Deadlines(clock), events: new Events(SILENT, 'test') },
  });
  const message = {
    exchange: '',
    routingKey: 'reply',
    content: Buffer.alloc(0),
    properties: {},
    mandatory: true,
  };
  let outcome = '';
  replies.begin(message, {
    onArrived: () => (outcome = 'arrived'),
    onLost: (error) => (outcome = error.message),
  });
  await pass(8_000);
  expect([published, outcome]).toEqual([['1 reply', '2 reply'], 'arrived']);
});

/** A broker that confirms nothing on the first channel. */
function silentAtFirst(published: string[]): Connection {
  let opened = 0;
  const openChannel = (): Promise<LiveChannel> => {
    const number = ++opened;
    let end = (_reason: string): void => undefined;
    const closed = new Promise<string>((resolve) => (end = resolve));
    let confirm = (_number: number, _multiple: boolean, _outcome: 'confirmed'): void => undefined;
    let sent = 0;
    const channel = {
      ...{ alive: true, socket: { writable: true }, closed },
      end: (reason: string) => ((channel.alive = false), end(reason)),
      close: () => Promise.resolve(channel.end('closed')),
      listen: ({ onConfirm = confirm }) => (confirm = onConfirm),
      publish: ({ routingKey }: OutgoingMessage) => {
        published.push(`${number} ${routingKey}`);
        sent++;
        if (number > 1) setImmediate(() => confirm(sent, false, 'confirmed'));
        return sent;
      },
    };
    return Promise.resolve(channel as unknown as LiveChannel);
  };
  const connection = { state: 'open', blocked: false, life: 1, opened: () => Promise.resolve(), openChannel };
  return connection as unknown as Connection;
}

it('an address that cost the connection is not tried again for a minute, others are', async () => {
  const time = { now: 1_000 };
  const clock = {
    ...{ wall: () => time.now, monotonic: () => time.now },
    after: (ms: number, call: () => void) => {
      // Waits for channels that come back; not the deadlines.
      if (ms < 1_000) setImmediate(call);
      return () => undefined;
    },
  };
  const published: string[] = [];
  const shared: string[] = [];
  const connections = new ReplyConnections({
    ...{ connection: dangerous(shared), first: dangerous(published), clock },
    ...{ settings: settings({ logger: SILENT, reconnect: { min: 10, max: 20 } }), counters: counters() },
    ...{ deadlines: new Deadlines(clock), events: new Events(SILENT, 'test') },
    server: () => ({ product: 'RabbitMQ', version: [3, 10] }),
  });
  const answer = async (routingKey: string): Promise<string> => {
    const message = { exchange: '', routingKey, content: Buffer.alloc(0), properties: {}, mandatory: false };
    const sent = connections.send(message).then(
      () => 'arrived',
      (error: { code: string }) => error.code,
    );
    await turns();
    return sent;
  };
  expect(await answer(BAD)).toBe('WARREN_PUBLISH_UNKNOWN');
  const tried = published.length;
  time.now += 59_999;
  expect(await answer(BAD)).toBe('WARREN_REPLY_ADDRESS');
  expect(published).toHaveLength(tried);
  // What arrived once goes over the connection that all share.
  const good = 'amq.rabbitmq.reply-to.good';
  expect([await answer(good), shared, await answer(good), shared]).toEqual([
    ...['arrived', [good], 'arrived', [good]],
  ]);
  time.now += 1;
  expect(await answer(BAD)).toBe('WARREN_PUBLISH_UNKNOWN');
});
