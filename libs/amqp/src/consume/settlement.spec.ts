// What is sent on is confirmed first and acked then; what cannot be sent on goes back to its queue after a while, and
// whoever listens is told.
import { AccessRefusedError } from '../errors/topology-errors.js';
import { describe, expect, it } from '@jest/globals';
import { Delivery } from '../message/delivery.js';
import { SILENT } from '../runtime/logger.js';
import type { OutgoingMessage } from '../message/message.js';
import { PublishNackedError, PublishTimeoutError } from '../errors/publish-errors.js';
import type { BrokerEvent } from '../events/events.js';
import { Events } from '../events/emitter.js';
import { forward, type SettlementDeps } from './settlement.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const failed = { kind: 'dead-letter', reason: 'rejected', error: new Error('x') } as const;
const again = { kind: 'retry', attempt: 2, after: 1_000, error: new Error('x') } as const;

/** `send` is what the broker makes of each message that is sent on. */
function settling(send: (message: OutgoingMessage) => Promise<void>, headers: object = {}) {
  const events = new Events(SILENT, 'test');
  const told: BrokerEvent[] = [];
  events.on((event) => void told.push(event));
  const waits: (() => void)[] = [];
  const pauses: number[] = [];
  const context = {
    forwarder: {
      maxPropertyBytes: 10_000,
      sendTo: (_queue: unknown, message: OutgoingMessage) => send(message),
      sendLater: (message: OutgoingMessage) => send(message),
      forwarded: (_kind: unknown, message: OutgoingMessage, _of: unknown, on: typeof send) => on(message),
    },
    clock: {
      ...{ wall: () => 0, monotonic: () => 0 },
      after: (ms: number, wake: () => void) => (pauses.push(ms), waits.push(wake), () => undefined),
    },
    ...{ logger: SILENT, events },
    plan: { queue: { name: 'orders', durable: true, arguments: {} }, back: { kind: 'retry' } },
    deadQueue: 'orders.dead',
  } as unknown as SettlementDeps;
  const message = {
    ...{ content: Buffer.from('1'), exchange: '', routingKey: 'orders' },
    properties: { headers },
  };
  const delivery = new Delivery(message as never, 'orders', { settle() {}, warn() {} });
  const done = { acked: 0, requeued: 0, alive: true };
  const origin = {
    alive: () => done.alive,
    ack: () => (done.acked++, done.alive),
    requeue: () => (done.requeued++, done.alive),
  };
  return { context, delivery, origin, done, waits, pauses, told };
}

describe('settling', () => {
  it('a dead letter that cannot be sent on is told with its error, and the message goes back later', async () => {
    const error = new Error('no way out');
    const { context, delivery, origin, done, waits, pauses, told } = settling(() => Promise.reject(error));
    const settled = forward(delivery, failed, origin, context);
    await turn();
    expect(told).toEqual([{ kind: 'forward-failed', queue: 'orders', delivery, error }]);
    expect([done.requeued, pauses]).toEqual([0, [5_000]]);
    waits[0]();
    expect([await settled, done.requeued, done.acked]).toEqual([true, 1, 0]);
  });

  it.each([failed, again])(
    'a message is acked when the broker has what it became ($kind)',
    async (verdict) => {
      let confirm = (): void => undefined;
      const { context, delivery, origin, done } = settling(
        () => new Promise((resolve) => (confirm = resolve)),
      );
      const settled = forward(delivery, verdict, origin, context);
      await turn();
      expect(done).toMatchObject({ acked: 0, requeued: 0 });
      confirm();
      expect([await settled, done.acked, done.requeued]).toEqual([true, 1, 0]);
    },
  );

  it('what the broker has back already is not sent on, nor once more when that fails', async () => {
    let sent = 0;
    const late = new PublishTimeoutError('', 'orders.dead', 1, 'the broker is away');
    const { context, delivery, origin, done, waits } = settling(() => (sent++, Promise.reject(late)));
    const settled = forward(delivery, failed, origin, context);
    await turn();
    done.alive = false;
    waits[0]();
    await turn();
    expect(sent).toBe(1);
    expect(await settled).toBe(false);
    expect([await forward(delivery, failed, origin, context), sent, done.acked]).toEqual([false, 1, 0]);
  });

  it.each([
    new PublishNackedError('', 'orders.dead', '1', 1, 0),
    new PublishTimeoutError('', 'orders.dead', 1, 'the broker is away'),
    new AccessRefusedError(`exchange 'amq.default'`, 'a retry'),
  ])(
    'what the broker does not take now ($name) is sent again, and its handler does not run for that',
    async (no) => {
      let sent = 0;
      const send = (): Promise<void> => (sent++ === 0 ? Promise.reject(no) : Promise.resolve());
      const { context, delivery, origin, done, waits, told } = settling(send);
      const settled = forward(delivery, failed, origin, context);
      await turn();
      expect([sent, waits.length]).toEqual([1, 1]);
      waits[0]();
      expect([await settled, sent, done.acked, done.requeued, told]).toEqual([true, 2, 1, 0, []]);
    },
  );

  it('a message whose headers are too large for a retry becomes a dead letter', async () => {
    const sent: OutgoingMessage[] = [];
    const send = (message: OutgoingMessage): Promise<void> => (sent.push(message), Promise.resolve());
    const { context, delivery, origin } = settling(send, { big: 'x'.repeat(9_500) });
    expect(await forward(delivery, again, origin, context)).toBe(true);
    expect(sent.map(({ routingKey }) => routingKey)).toEqual(['orders.dead']);
  });
});
