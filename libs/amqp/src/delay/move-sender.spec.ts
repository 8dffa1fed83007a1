import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../runtime/clock.js';
import { SILENT } from '../runtime/logger.js';
import type { OutgoingMessage } from '../message/message.js';
import type { ChannelListener, LiveChannel } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { MoveSender } from './move-sender.js';
import type { MoveOutcome } from './moves.js';

class Hands implements Clock {
  time = 100_000;
  private timers: { at: number; call: () => void }[] = [];
  wall = (): number => this.time;
  monotonic = (): number => this.time;
  after = (ms: number, call: () => void): (() => void) => {
    const timer = { at: this.time + ms, call };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((other) => other !== timer));
  };
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      const [next] = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.timers = this.timers.filter((other) => other !== next);
      this.time = Math.max(this.time, next.at);
      next.call();
    }
    this.time = end;
  }
}

/** A confirm channel on which the test answers. */
class FakeChannel {
  alive = true;
  readonly sent: string[] = [];
  private listener: ChannelListener = {};
  private end: (reason: string) => void = () => undefined;
  readonly closed = new Promise<string>((resolve) => (this.end = resolve));

  listen(listener: ChannelListener): void {
    this.listener = listener;
  }
  publish({ routingKey }: OutgoingMessage): number {
    return this.sent.push(routingKey);
  }
  answer(number: number, outcome: 'confirmed' | 'nacked' = 'confirmed'): void {
    this.listener.onConfirm?.(number, false, outcome);
  }
  lose(reason: string): void {
    this.alive = false;
    this.end(reason);
  }
  close(): Promise<void> {
    this.lose('closed');
    return Promise.resolve();
  }
}

async function bench() {
  const clock = new Hands();
  const channels: FakeChannel[] = [];
  const connection = {
    ...{ blocked: false, state: 'open' },
    opened: () => Promise.resolve(),
    openChannel: () => {
      channels.push(new FakeChannel());
      return Promise.resolve(channels.at(-1) as unknown as LiveChannel);
    },
  };
  const refused: unknown[] = [];
  const lines: string[] = [];
  const sender = new MoveSender({
    connection: connection as unknown as Connection,
    ...{ clock, reconnect: { min: 10, max: 10 } },
    logger: { ...SILENT, warn: (line) => void lines.push(line) },
    onRefused: ({ exchange }) => refused.push(exchange),
  });
  const told: [string, MoveOutcome][] = [];
  const send = (name: string, exchange = '', wanted = true): void => {
    const message = { exchange, routingKey: name, content: Buffer.from(''), properties: {}, mandatory: true };
    sender.send(
      message,
      () => wanted,
      (outcome) => told.push([name, outcome]),
    );
  };
  send('first');
  await clock.pass(0);
  channels[0].answer(1);
  told.length = 0;
  return { clock, channels, connection, sender, told, send, refused, lines };
}

describe('the channel of what is moved', () => {
  it('is replaced when a confirm does not come; what else is on it is answered before, and nothing waits for that', async () => {
    const { clock, channels, told, send } = await bench();
    send('stuck');
    await clock.pass(3_000);
    send('well');
    channels[0].answer(3);
    await clock.pass(900);
    send('just now');
    expect(channels).toHaveLength(1);
    await clock.pass(300);
    // Not while that one may still be answered.
    expect(channels).toHaveLength(1);
    send('waits');
    channels[0].answer(4);
    await clock.pass(300);
    expect(channels).toHaveLength(2);
    expect(told).toEqual([
      ['well', 'confirmed'],
      ['just now', 'confirmed'],
      ['stuck', 'lost'],
    ]);
    expect(channels[1].sent).toEqual(['waits']);
  });

  it('is replaced half a second later when the rest is not answered either', async () => {
    const { clock, channels, told, send, lines } = await bench();
    send('stuck');
    await clock.pass(3_900);
    send('young');
    await clock.pass(1_200);
    expect(channels).toHaveLength(2);
    expect(told).toEqual([
      ['stuck', 'lost'],
      ['young', 'lost'],
    ]);
    send('stuck again');
    await clock.pass(10_000);
    expect([channels.length, lines]).toEqual([
      3,
      ["the broker did not confirm a message to queue 'stuck' in time; replacing the channel"],
    ]);
  });

  it('is replaced after a refusal, but not again and again', async () => {
    const { clock, channels, sender, send } = await bench();
    for (let times = 0; times < 40; times++) {
      send('full');
      await clock.pass(100);
      const last = channels.at(-1) as FakeChannel;
      last.answer(last.sent.length, 'nacked');
      sender.doubt();
      await clock.pass(150);
    }
    // Ten seconds: at once, and after five.
    expect(channels.length).toBeGreaterThanOrEqual(3);
    expect(channels.length).toBeLessThanOrEqual(4);
  });

  it('is left alone while the broker blocks publishing, and everything goes when it does not any more', async () => {
    const { clock, channels, connection, sender, told, send } = await bench();
    send('on its way');
    connection.blocked = true;
    send('waits');
    await clock.pass(600_000);
    expect([channels.length, channels[0].sent]).toEqual([1, ['first', 'on its way']]);
    connection.blocked = false;
    sender.unblocked();
    await clock.pass(1_000);
    channels[0].answer(2);
    channels[0].answer(3);
    expect(told).toEqual([
      ['on its way', 'confirmed'],
      ['waits', 'confirmed'],
    ]);
    expect(channels).toHaveLength(1);
  });

  it('that an exchange cost: who published there is to blame, all others are only lost', async () => {
    const { clock, channels, told, send, refused } = await bench();
    send('a', 'missing');
    send('b');
    channels[0].lose("NOT_FOUND - no exchange 'missing' in vhost '/'");
    await clock.pass(100);
    expect(told).toEqual([
      ['a', 'refused'],
      ['b', 'lost'],
    ]);
    expect(refused).toEqual(['missing']);
    expect(channels).toHaveLength(2);
  });

  it('sends nothing that its holder does not have any more', async () => {
    const { channels, told, send } = await bench();
    send('gone', '', false);
    expect([channels[0].sent, told]).toEqual([['first'], []]);
  });

  it('waits for confirms at the end, as long as it may', async () => {
    const { channels, sender, send } = await bench();
    send('last');
    let closed = false;
    const closing = sender.close(new Promise(() => undefined)).then(() => (closed = true));
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    channels[0].answer(2);
    await closing;
    send('late');
    expect(channels[0].sent).toEqual(['first', 'last']);
  });
});
