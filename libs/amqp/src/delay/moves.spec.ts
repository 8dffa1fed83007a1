import { describe, expect, it } from '@jest/globals';
import { MovesInProgress } from '../message/moves-in-progress.js';
import type { Clock } from '../runtime/clock.js';
import { counters, type BrokerEvent } from '../events/events.js';
import type { OutgoingMessage, MessageProperties } from '../message/message.js';
import type { ReturnRoute } from '../message/headers.js';
import { LateRetries } from '../events/late-retries.js';
import { Events } from '../events/emitter.js';
import { Moves, type MoveOutcome } from './moves.js';
import type { Held } from './wait-holder.js';

/** Moves by hand. */
class Hands implements Clock {
  time = 100_000;
  private timers: { at: number; call: () => void }[] = [];
  wall = (): number => 1_700_000_000_000 + this.time;
  monotonic = (): number => this.time;
  after = (ms: number, call: () => void): (() => void) => {
    const timer = { at: this.time + ms, call };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((other) => other !== timer));
  };
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await new Promise(setImmediate);
      const [next] = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.timers = this.timers.filter((other) => other !== next);
      this.time = Math.max(this.time, next.at);
      next.call();
    }
    this.time = end;
  }
}

interface Sent {
  readonly message: OutgoingMessage;
  readonly wanted: () => boolean;
  readonly tell: (outcome: MoveOutcome) => void;
}

function bench(answer?: (message: OutgoingMessage) => MoveOutcome | undefined) {
  const clock = new Hands();
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const logger = { log: write, warn: write, error: write };
  const count = counters();
  const told: BrokerEvent[] = [];
  const events = new Events(logger, 'test');
  events.on((event) => told.push(event));
  const sent: Sent[] = [];
  let doubts = 0;
  const underWay = new MovesInProgress();
  const moves = new Moves({
    ...{ clock, logger, underWay },
    late: new LateRetries({ clock, counters: count, events, logger }),
    sender: {
      send: (message, wanted, tell) => {
        sent.push({ message, wanted, tell });
        const outcome = answer?.(message);
        if (outcome !== undefined) tell(outcome);
      },
      doubt: () => doubts++,
    },
    targets: {
      ensureExchange: (name) => (name === 'gone' ? Promise.reject(new Error('no exchange')) : undefined),
      ensureOrphans: () => Promise.resolve(),
      ensureWait: (step, { kind }) => Promise.resolve(`${kind} ${step}`),
    },
  });
  const made: (Held & { alive: boolean; moved: boolean; arrived: boolean })[] = [];
  const move = (name: string, back: ReturnRoute = { kind: 'retry' }, more: MessageProperties = {}) => {
    const held = {
      message: {
        ...{ content: Buffer.from(name), exchange: 'w', routingKey: name, redelivered: true, deliveryTag: 1 },
        properties: {
          ...{ messageId: 'm', ...more },
          headers: { own: 1, 'x-warren-due': 5, 'x-delivery-count': 2, 'x-acquired-count': 3 },
        },
      },
      ...{ due: clock.time, lateBy: 0, alive: true, moved: false, arrived: false },
      done: (arrived = true) => void Object.assign(held, { moved: true, arrived }),
      taken: () => Promise.resolve(),
    };
    made.push(held);
    moves.move(held, back);
    return held;
  };
  /** Whether a consumer may run a copy by now. */
  const mayRun = async ({ message }: Sent): Promise<boolean> => {
    let may = true;
    const settled = underWay.settled({ properties: message.properties } as never);
    if (settled) may = false;
    void settled?.then(() => (may = true));
    await new Promise(setImmediate);
    return may;
  };
  return { clock, lines, told, count, sent, move, mayRun, doubts: () => doubts };
}

const addresses = (sent: readonly Sent[]): string[] =>
  sent.map(({ message: { exchange, routingKey } }) => `${exchange}/${routingKey}`);

describe('a message whose wait is over', () => {
  it('is published as it was, without what its wait left on it, and acked when the broker has it', () => {
    const { sent, move } = bench();
    const held = move('q', { kind: 'retry' }, { type: 't', userId: 'me' });
    expect(sent[0].message).toEqual({
      ...{ exchange: '', routingKey: 'q', content: Buffer.from('q'), mandatory: true },
      properties: {
        messageId: 'm',
        type: 't',
        userId: 'me',
        headers: { own: 1, 'x-warren-move': expect.any(String) },
      },
    });
    expect(held.moved).toBe(false);
    sent[0].tell('confirmed');
    expect([held.moved, held.arrived]).toEqual([true, true]);
  });

  it.each<[string, (sent: Sent[], clock: Hands) => Promise<void> | void]>([
    ['before it is known what became of its publish', (sent) => sent[0].tell('lost')],
    ['before its publish was sent', (sent) => void sent[0].wanted()],
    ['before it is tried again', (_sent, clock) => clock.pass(2_000)],
  ])('and that is lost with its channel %s, does not keep its copy waiting', async (what, end) => {
    const { sent, move, mayRun, clock } = bench();
    const held = move('q');
    expect(await mayRun(sent[0])).toBe(false);
    if (what.endsWith('again')) sent[0].tell('nacked');
    held.alive = false;
    await end(sent, clock);
    expect(await mayRun(sent[0])).toBe(true);
  });

  it.each([
    ['aside', 'refused'],
    ['among the orphans', 'returned'],
  ] as const)(
    'and that is lost while it is put %s, does not keep its copy waiting',
    async (_where, outcome) => {
      const { sent, move, mayRun, clock } = bench();
      const held = move('q');
      sent[0].tell(outcome);
      await clock.pass(1_000);
      if (outcome === 'returned') sent[1].tell(outcome);
      await clock.pass(0);
      held.alive = false;
      expect(await mayRun(sent[0])).toBe(false);
      sent.at(-1)?.tell('lost');
      expect(await mayRun(sent[0])).toBe(true);
    },
  );

  it('goes to its exchange, where it is no fault that nobody listens', () => {
    const { sent, move } = bench();
    move('key', { kind: 'delay', exchange: 'events' });
    expect(sent[0].message).toMatchObject({ exchange: 'events', routingKey: 'key', mandatory: false });
  });

  it.each(['retry', 'by-name'] as const)(
    'goes to the orphans when its queue is gone (%s), and that is said once',
    async (kind) => {
      const { clock, lines, sent, move } = bench(({ exchange }) =>
        exchange === '' ? 'returned' : 'confirmed',
      );
      const both = [move('q', { kind }), move('q', { kind })];
      await clock.pass(900);
      // Its consumer may be declaring it again.
      expect(addresses(sent)).toEqual(['/q', '/q']);
      await clock.pass(200);
      const third = move('q', { kind });
      await clock.pass(1);
      expect([...both, third].map(({ moved }) => moved)).toEqual([true, true, true]);
      expect([...both, third].map(({ arrived }) => arrived)).toEqual([false, false, false]);
      expect(addresses(sent).filter((each) => each === 'warren.back/q')).toHaveLength(3);
      expect(sent).toHaveLength(8);
      expect(lines).toEqual([
        "queue 'q' does not exist: its retried and delayed messages go to 'warren.orphans'; declare it and move them back",
      ]);
    },
  );

  it('is published again when it was refused, and the channel is doubted', async () => {
    let times = 0;
    const { clock, sent, move, doubts } = bench(() => (++times < 3 ? 'nacked' : 'confirmed'));
    const held = move('q');
    await clock.pass(1_500);
    expect([held.moved, sent.length]).toEqual([false, 2]);
    await clock.pass(1_000);
    expect([held.moved, sent.length, doubts()]).toEqual([true, 3, 2]);
  });

  it('is set aside when its target takes nothing for long; others of that target follow at once, all else goes on', async () => {
    const { clock, lines, sent, move } = bench(({ routingKey, exchange }) =>
      routingKey === 'full' && exchange === '' ? 'nacked' : 'confirmed',
    );
    const first = move('full');
    await clock.pass(7_000);
    expect(first.moved).toBe(false);
    expect(move('well').moved).toBe(true);
    await clock.pass(2_000);
    expect([first.moved, first.arrived]).toEqual([true, false]);
    expect(addresses(sent).at(-1)).toBe('retry 10000/full');
    expect(sent.at(-1)?.message.properties.headers).toEqual({
      own: 1,
      'x-warren-due': clock.wall() + 10_000 - 1_000,
    });
    expect(lines).toContain(
      "retried or delayed messages for queue 'full' cannot be delivered (publishes to it are nacked); trying again every 10 s",
    );
    const before = sent.length;
    const second = move('full');
    await clock.pass(1);
    expect([second.moved, sent.length]).toEqual([true, before + 1]);
    await clock.pass(5_000);
    // It is tried again then.
    move('full');
    expect(addresses(sent).at(-1)).toBe('/full');
  });

  it('is set aside when its exchange is gone', async () => {
    const { clock, lines, sent, move } = bench(() => 'confirmed');
    const held = move('key', { kind: 'delay', exchange: 'gone' });
    await clock.pass(1);
    expect([held.moved, ...addresses(sent)]).toEqual([true, 'delay 10000/key']);
    expect(lines).toEqual([
      "retried or delayed messages for exchange 'gone' cannot be delivered (Error: no exchange); trying again every 10 s",
    ]);
  });

  it('loses its user rather than its way when the connection is that of another user', () => {
    const { sent, move } = bench(({ properties }) =>
      properties.userId === undefined ? 'confirmed' : { refused: 'userId' },
    );
    expect(move('q', { kind: 'retry' }, { userId: 'other' }).moved).toBe(true);
    expect(sent).toHaveLength(2);
  });

  it('whose channel is lost meanwhile is left to its next delivery', async () => {
    const { clock, sent, move } = bench();
    const held = move('q');
    held.alive = false;
    expect(sent[0].wanted()).toBe(false);
    sent[0].tell('lost');
    await clock.pass(60_000);
    expect([held.moved, sent.length]).toEqual([false, 1]);
  });
});

describe('what is late', () => {
  it('is said and counted within seconds while it is on its way, once for all, and once more when it is over', async () => {
    const { clock, lines, told, count, sent, move } = bench();
    for (let n = 0; n < 100; n++) move(`q${n % 3}`);
    await clock.pass(8_000);
    expect(lines).toEqual([expect.stringMatching(/^100 retried or delayed messages are late, by up to/)]);
    expect(count.retriesLate).toBe(100);
    for (const { tell } of sent) tell('confirmed');
    move('q0');
    await clock.pass(8_000);
    expect(lines).toHaveLength(1);
    await clock.pass(60_000);
    expect(told.filter(({ kind }) => kind === 'retries-late')).toEqual([
      { kind: 'retries-late', messages: 100, ms: expect.any(Number), over: false },
      { kind: 'retries-late', messages: 101, ms: expect.any(Number), over: true },
    ]);
    expect(lines).toHaveLength(2);
  });

  it('is nothing while all are on time', async () => {
    const { clock, lines, count, move } = bench(() => 'confirmed');
    for (let n = 0; n < 1_000; n++) move('q');
    await clock.pass(120_000);
    expect([lines, count.retriesLate]).toEqual([[], 0]);
  });
});
