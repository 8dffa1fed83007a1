// What a sender promises, with a broker that is the test: order, bounds, who waits, who is sent again, and who is told what.

import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import type { ChannelListener, LiveChannel } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { counters } from '../events/events.js';
import { Deadlines } from '../runtime/clock.js';
import { SILENT } from '../runtime/logger.js';
import type { OutgoingMessage } from '../message/message.js';
import { settings } from '../options/settings.js';
import { Events } from '../events/emitter.js';
import type { SendLimits } from './pending-send.js';
import { Sender } from './sender.js';

const REFUSED = (exchange: string): string =>
  `Error: Channel closed by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - access to exchange '${exchange}' in vhost '/' refused for user 'u'"`;
const TOPIC = (topic: string): string =>
  `Error: Channel closed by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - access to topic '${topic}' in exchange 'x' in vhost '/' refused for user 'u'"`;
const TOO_LARGE =
  'Error: Channel closed by server: 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - message size 9 is larger than configured max size 8"';

/** Time that moves when told to. */
class Hands {
  private time = 0;
  private timers: { at: number; call: () => void }[] = [];

  wall = (): number => this.time;
  monotonic = (): number => this.time;

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.time + ms, call };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((other) => other !== timer));
  }

  /** Lets time pass, timers go off and promises settle in between. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await turn();
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.time = Math.max(this.time, next.at);
      this.timers = this.timers.filter((other) => other !== next);
      next.call();
      await turn();
    }
    this.time = end;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A channel that notes what is published, and whose end the test decides. */
class FakeChannel {
  alive = true;
  readonly socket = { writable: true };
  readonly published: OutgoingMessage[] = [];
  readonly closed: Promise<string>;
  end: (reason: string) => void = () => undefined;
  private listeners: ChannelListener[] = [];

  constructor() {
    this.closed = new Promise((resolve) => {
      this.end = (reason) => {
        this.alive = false;
        resolve(reason);
      };
    });
  }

  listen(listener: ChannelListener): void {
    this.listeners.push(listener);
  }

  publish(message: OutgoingMessage): number {
    if (!this.alive) throw new Error('closed');
    return this.published.push(message);
  }

  /** The broker confirms it a moment later. */
  close(): Promise<void> {
    this.alive = false;
    return turn().then(() => this.end('closed'));
  }

  answer(number: number, outcome: 'confirmed' | 'nacked', multiple = false): void {
    for (const { onConfirm } of this.listeners) onConfirm?.(number, multiple, outcome);
  }
}

function sending(publish: Parameters<typeof settings>[0] = {}) {
  const clock = new Hands();
  const channels: FakeChannel[] = [];
  const lines: string[] = [];
  const counts = counters();
  const connection = {
    ...{ state: 'open', blocked: false, life: 1 },
    opened: () => Promise.resolve(),
    openChannel: () => {
      const channel = new FakeChannel();
      channels.push(channel);
      return Promise.resolve(channel as unknown as LiveChannel);
    },
  };
  const say = (line: string): void => void lines.push(line);
  const given = { ...SILENT, error: say, warn: say };
  const sender = new Sender({
    connection: connection as unknown as Connection,
    settings: settings({ ...publish, logger: given, reconnect: { min: 20, max: 200 } }),
    clock,
    deadlines: new Deadlines(clock),
    counters: counts,
    events: new Events(SILENT, 'test'),
  });
  const outcomes = new Map<string, string>();
  type Limits = Partial<SendLimits> & { readonly timeout?: number };
  const send = (id: string, limits: Limits = {}, to: Partial<OutgoingMessage> = {}): void => {
    const { timeout: given = 10_000 } = limits;
    const message = {
      ...{ exchange: '', routingKey: 'q', content: Buffer.from(id), mandatory: true },
      properties: { messageId: id },
      ...to,
    };
    sender.send(
      message,
      { ...limits, end: clock.monotonic() + given, given },
      {
        onSent: (routed, resent, nacks) => outcomes.set(id, `sent ${routed} ${resent} ${nacks}`),
        onFailed: (error) => outcomes.set(id, (error as { code?: string }).code ?? error.message),
      },
    );
  };
  /** The channel that is open now. */
  const channel = async (): Promise<FakeChannel> => {
    for (let tries = 0; tries < 100; tries++) {
      await clock.pass(20);
      const last = channels.at(-1);
      if (last?.alive) return last;
    }
    throw new Error('no channel was opened');
  };
  const ids = ({ published }: FakeChannel): string[] => published.map(({ content }) => content.toString());
  return { clock, channels, lines, counts, connection, sender, outcomes, send, channel, ids };
}

describe('a sender', () => {
  it('keeps the order, sends what was lost first, and then what waited before the loss', async () => {
    const { send, channel, ids, connection, sender, outcomes } = sending();
    sender.start();
    const first = await channel();
    for (const id of ['a', 'b', 'c']) send(id, { retryUnknown: true });
    first.socket.writable = false;
    for (const id of ['d', 'e']) send(id);
    connection.life++;
    first.end('Error: the connection was lost');
    const second = await channel();
    expect([ids(first), ids(second)]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c', 'd', 'e'],
    ]);
    second.answer(5, 'confirmed', true);
    expect([...outcomes.values()]).toEqual([
      ...Array(3).fill('sent true 1 0'),
      ...Array(2).fill('sent true 0 0'),
    ]);
  });

  it.each([
    ['when its time is over', (made: ReturnType<typeof sending>) => made.clock.pass(2_000)],
    ['when the sender closes', (made: ReturnType<typeof sending>) => made.sender.close(Promise.resolve())],
  ])('says of what was sent and waits to be sent again that its outcome is unknown, %s', async (_, end) => {
    const made = sending();
    const { send, channel, connection, outcomes } = made;
    send('sent', { timeout: 1_000, retryUnknown: true });
    const open = await channel();
    connection.blocked = true;
    open.end('lost');
    send('waits', { timeout: 1_000 });
    await turn();
    expect(made.sender.pending).toEqual({ unconfirmed: 0, waiting: 2 });
    await end(made);
    await turn();
    expect(outcomes.get('sent')).toBe('WARREN_PUBLISH_UNKNOWN');
    expect(outcomes.get('waits')).not.toBe('WARREN_PUBLISH_UNKNOWN');
  });

  it('keeps publishes while the broker blocks, tells those why whose time is over, and lets the rest go', async () => {
    const { send, channel, ids, connection, sender, outcomes, clock } = sending();
    sender.start();
    const open = await channel();
    connection.blocked = true;
    send('short', { timeout: 100 });
    send('long');
    await clock.pass(200);
    expect([ids(open), outcomes.get('short')]).toEqual([[], 'WARREN_PUBLISH_TIMEOUT']);
    connection.blocked = false;
    sender.flush();
    expect(ids(open)).toEqual(['long']);
  });

  it('calls off what waits when its signal aborts, and not what was sent', async () => {
    const { send, channel, sender, outcomes } = sending();
    sender.start();
    const open = await channel();
    const controller = new AbortController();
    const { signal } = controller;
    send('sent', { signal });
    open.socket.writable = false;
    send('waits', { signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    controller.abort(new Error('enough'));
    expect([...outcomes]).toEqual([['waits', 'enough']]);
    open.answer(1, 'confirmed');
    expect(outcomes.get('sent')).toBe('sent true 0 0');
  });

  it('replaces a channel that leaves a message unconfirmed, and says so once a minute', async () => {
    const { send, channel, channels, outcomes, lines, clock, ids } = sending();
    send('swallowed');
    send('well');
    const first = await channel();
    first.answer(2, 'confirmed');
    await clock.pass(9_990);
    expect(outcomes.get('swallowed')).toBe('WARREN_PUBLISH_UNKNOWN');
    send('next', { retryUnknown: true, timeout: 30_000 });
    const second = await channel();
    expect([channels.length, ids(second)]).toEqual([2, ['next']]);
    await clock.pass(30_000);
    expect(lines).toEqual([
      "the broker did not confirm message swallowed to queue 'q' in time; replacing the channel",
    ]);
  });

  it('keeps the channel when a message expires whose confirm may still come', async () => {
    const { send, channel, channels, outcomes, clock } = sending();
    send('patient');
    send('short', { timeout: 100 });
    const open = await channel();
    await clock.pass(3_000);
    expect(outcomes.get('short')).toBe('WARREN_PUBLISH_UNKNOWN');
    open.answer(2, 'confirmed', true);
    await clock.pass(10_000);
    expect([outcomes.get('patient'), channels.length]).toEqual(['sent true 0 0', 1]);
  });

  it('replaces a channel without confirms although all messages on it expired before these were overdue', async () => {
    const { send, channel, channels, clock, lines, ids } = sending();
    send('short', { timeout: 100 });
    const first = await channel();
    await clock.pass(3_900);
    send('next', { timeout: 1_000 });
    expect([channels.length, ids(first)]).toEqual([1, ['short', 'next']]);
    await clock.pass(2_200);
    expect(channels).toHaveLength(2);
    expect(lines).toEqual([expect.stringContaining('did not confirm message short')]);
  });

  it('gives confirms time after the broker blocked publishing', async () => {
    const { send, channel, channels, connection, sender, outcomes, clock } = sending();
    send('early', { timeout: 8_000 });
    send('patient');
    const open = await channel();
    connection.blocked = true;
    await clock.pass(7_900);
    connection.blocked = false;
    sender.unblocked();
    await clock.pass(1_000);
    expect(outcomes.get('early')).toBe('WARREN_PUBLISH_UNKNOWN');
    await clock.pass(500);
    open.answer(2, 'confirmed', true);
    await clock.pass(5_000);
    expect([outcomes.get('patient'), channels.length]).toEqual(['sent true 0 0', 1]);
  });

  it('sends what waited in many turns of the event loop, in its order, so that others have theirs', async () => {
    const { send, channel, ids, sender } = sending();
    sender.start();
    const open = await channel();
    open.socket.writable = false;
    for (let n = 0; n < 5_000; n++) send(String(n));
    open.socket.writable = true;
    const turns: number[] = [];
    sender.flush();
    // One that comes meanwhile is the last one.
    send('late');
    for (let sent = 0; sent < 5_001; sent = open.published.length) {
      turns.push(open.published.length - sent);
      await turn();
    }
    expect(Math.max(...turns)).toBeLessThanOrEqual(500);
    expect(ids(open)).toEqual([...Array.from({ length: 5_000 }, (_, n) => String(n)), 'late']);
  });

  it('leaves nothing on a signal that is shared and never aborts', async () => {
    const { send, channel, sender } = sending();
    sender.start();
    const open = await channel();
    const { signal } = new AbortController();
    for (let n = 0; n < 1_000; n++) send(`${n}`, { signal });
    open.answer(1_000, 'confirmed', true);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('sends what makes the broker close the connection twice at most', async () => {
    const { send, channel, sender, outcomes, channels } = sending();
    sender.start();
    await channel();
    send('bad', { retryUnknown: true });
    for (const _ of [1, 2]) {
      (await channel()).end('Error: Connection closed: 501 (FRAME-ERROR)');
      await turn();
    }
    expect(outcomes.get('bad')).toBe('WARREN_PUBLISH_UNKNOWN');
    expect(channels.map(({ published }) => published.length)).toEqual([1, 1]);
  });

  it('a number of the broker that makes no sense ends the channel, is told, and what was sent goes again on demand', async () => {
    const { send, channel, sender, outcomes, lines, ids } = sending();
    sender.start();
    const open = await channel();
    send('again', { retryUnknown: true });
    send('unknown');
    open.answer(2 ** 52, 'confirmed', true);
    expect(ids(await channel())).toEqual(['again']);
    expect(outcomes.get('unknown')).toBe('WARREN_PUBLISH_UNKNOWN');
    expect(lines).toEqual([expect.stringContaining('protocol error')]);
  });
});

describe('a publish that the broker refuses for its user', () => {
  it.each([
    ['the default exchange', '', 'amq.default'],
    ['an exchange', 'x', 'x'],
  ])(
    'to %s fails with all of its kind, others go once more, and it is not tried for 5 s',
    async (_, exchange, named) => {
      const { send, channel, sender, outcomes, counts, lines, ids, clock } = sending();
      sender.start();
      const open = await channel();
      for (let n = 0; n < 500; n++) {
        send(`good ${n}`, {}, { exchange: 'y' });
        send(`bad ${n}`, {}, { exchange });
      }
      open.end(REFUSED(named));
      const next = await channel();
      expect(next.published).toHaveLength(500);
      expect(ids(next).every((id) => id.startsWith('good'))).toBe(true);
      next.answer(500, 'confirmed', true);
      send('bad again', { timeout: 10_000 }, { exchange });
      const codes = new Map([...outcomes].map(([id, outcome]) => [outcome, id.split(' ')[0]]));
      expect([...codes]).toEqual([
        ['WARREN_ACCESS_REFUSED', 'bad'],
        ['sent true 1 0', 'good'],
      ]);
      expect(counts.resent).toBe(500);
      expect(lines).toEqual([expect.stringContaining(`'${named}'`)]);
      await clock.pass(5_000);
      send('later', {}, { exchange });
      expect(ids(next)).toContain('later');
      next.end(REFUSED(named));
      await channel();
      expect([outcomes.get('later'), lines.length]).toEqual(['WARREN_ACCESS_REFUSED', 1]);
    },
  );

  /** A broker that closes the channel for what `isBad`, as soon as it sees it, and confirms everything before. */
  const answerAll = async (
    made: ReturnType<typeof sending>,
    isBad: (id: string) => string | undefined,
  ): Promise<void> => {
    const seen = new Map<FakeChannel, number>();
    for (
      let rounds = 0;
      rounds < 3_000 && made.sender.pending.unconfirmed + made.sender.pending.waiting > 0;
      rounds++
    ) {
      const open = await made.channel();
      for (let at = seen.get(open) ?? 0; at < open.published.length && open.alive; at++) {
        seen.set(open, at + 1);
        const reason = isBad(open.published[at].content.toString());
        if (reason !== undefined) open.end(reason);
        // Of a group only some are confirmed before it ends.
        else if (made.channels.length > 1 || at % 2 === 0) open.answer(at + 1, 'confirmed');
      }
    }
  };

  it('by its key takes others with it once or few times, however many such keys there are', async () => {
    const made = sending();
    made.sender.start();
    await made.channel();
    for (let n = 0; n < 1_000; n++) {
      made.send(
        `${n}`,
        { timeout: 600_000 },
        { exchange: 'x', routingKey: n % 100 === 50 ? `bad.${n}` : 'good' },
      );
    }
    await answerAll(made, (id) => (Number(id) % 100 === 50 ? TOPIC(`bad.${id}`) : undefined));
    const bad = [...made.outcomes].filter(([, outcome]) => outcome === 'WARREN_ACCESS_REFUSED');
    expect(bad.map(([id]) => id)).toEqual(Array.from({ length: 10 }, (_, n) => `${n * 100 + 50}`));
    expect(made.outcomes.size).toBe(1_000);
    // Sent together each time, it would be ten times as many.
    expect(made.counts.resent).toBeLessThan(2_500);
  });

  it('is found, and then all others are sent at once again', async () => {
    const made = sending();
    made.sender.start();
    await made.channel();
    for (let n = 0; n < 20; n++) made.send(`${n}`, { timeout: 600_000 });
    await answerAll(made, (id) => (id === '7' ? TOO_LARGE : undefined));
    const open = await made.channel();
    const before = open.published.length;
    for (let n = 0; n < 20; n++) made.send(`more ${n}`);
    expect(open.published.length - before).toBe(20);
  });

  it('without a name is found by sending fewer and fewer together, and fails alone', async () => {
    const made = sending();
    made.sender.start();
    await made.channel();
    for (let n = 0; n < 1_000; n++) made.send(`${n}`, { timeout: 600_000 });
    await answerAll(made, (id) => (id === '700' ? TOO_LARGE : undefined));
    const failed = [...made.outcomes].filter(([, outcome]) => !outcome.startsWith('sent'));
    expect(failed).toEqual([['700', 'WARREN_PUBLISH_REFUSED']]);
    expect(made.outcomes.size).toBe(1_000);
    expect(made.channels.length).toBeLessThan(10);
    expect(made.counts.resent).toBeLessThan(2_000);
  });
});

describe('a publish that the broker nacks', () => {
  it('waits twice as long each time, up to a second', async () => {
    const { send, channel, channels, clock, outcomes } = sending();
    send('m', { retryNacked: 60_000, timeout: 100_000 });
    await channel();
    const pauses: number[] = [];
    const sent = (): number => channels.reduce((sum, { published }) => sum + published.length, 0);
    for (let nacks = 1; nacks <= 7; nacks++) {
      while (sent() < nacks) await clock.pass(20);
      const last = channels.findLast(({ published }) => published.length > 0) as FakeChannel;
      last.answer(last.published.length, 'nacked');
      const began = clock.monotonic();
      while (sent() === nacks) await clock.pass(20);
      pauses.push(clock.monotonic() - began);
    }
    [50, 100, 200, 400, 800, 1_000, 1_000].forEach((least, n) => {
      expect(pauses[n]).toBeGreaterThanOrEqual(least);
      expect(pauses[n]).toBeLessThan(least + 300);
    });
    expect(outcomes.size).toBe(0);
  });

  it('goes again after growing pauses until the broker takes it, and the receipt says how often', async () => {
    const { send, channel, sender, outcomes, counts, clock } = sending();
    sender.start();
    await channel();
    send('m', { retryNacked: 5_000 });
    for (const _ of [1, 2, 3]) {
      const open = await channel();
      open.answer(open.published.length, 'nacked');
      await clock.pass(500);
    }
    const open = await channel();
    open.answer(open.published.length, 'confirmed');
    expect([outcomes.get('m'), counts.nacked, sender.pending]).toEqual([
      ...['sent true 0 3', 3],
      { unconfirmed: 0, waiting: 0 },
    ]);
  });

  it('fails at once without retryNacked, else when that time is over, or its own', async () => {
    const { send, channel, sender, outcomes, clock } = sending();
    sender.start();
    const answer = async (): Promise<void> => {
      const open = await channel();
      for (let at = 1; at <= open.published.length; at++) {
        if (!answered.has(open.published[at - 1]) || open !== last) open.answer(at, 'nacked');
        answered.add(open.published[at - 1]);
      }
      last = open;
    };
    const answered = new Set<OutgoingMessage>();
    let last: FakeChannel | undefined;
    sender.start();
    await channel();
    send('never');
    await answer();
    expect(outcomes.get('never')).toBe('WARREN_PUBLISH_NACKED');
    send('long', { retryNacked: 2_000 });
    const began = clock.monotonic();
    while (!outcomes.has('long')) {
      const open = await channel();
      const { length } = open.published;
      if (sender.pending.unconfirmed > 0) open.answer(length, 'nacked');
    }
    expect(outcomes.get('long')).toBe('WARREN_PUBLISH_NACKED');
    expect(clock.monotonic() - began).toBeLessThan(2_200);
    send('short', { retryNacked: 60_000, timeout: 1_000 });
    const open = await channel();
    open.answer(open.published.length, 'nacked');
    open.socket.writable = false;
    await clock.pass(1_100);
    expect(outcomes.get('short')).toBe('WARREN_PUBLISH_NACKED');
  });

  it('keeps its place in the bounded buffer, and many of them their order', async () => {
    const { send, channel, sender, outcomes, ids, clock } = sending({
      publish: { buffer: { messages: 3 } },
    });
    sender.start();
    const open = await channel();
    for (const id of ['a', 'b', 'c', 'd']) send(id, { retryNacked: 5_000 });
    for (const number of [1, 2, 3, 4]) open.answer(number, 'nacked');
    expect([outcomes.get('d'), sender.pending.waiting]).toEqual(['WARREN_PUBLISH_NACKED', 3]);
    await clock.pass(300);
    expect(ids(await channel()).slice(-3)).toEqual(['a', 'b', 'c']);
  });
});
