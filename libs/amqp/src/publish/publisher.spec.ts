// Retries and dead letters that no queue takes: declared again and sent once more, and never taken for arrived.
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../runtime/clock.js';
import { settings } from '../options/settings.js';
import type { SendLimits } from './pending-send.js';
import { Publisher } from './publisher.js';

interface Attempt {
  readonly onSent: (routed: boolean) => void;
}

/** A publisher whose messages are routed as `routed` says, one after the other; what it did. */
function publishing(...routed: boolean[]) {
  const done: string[] = [];
  const timeouts: number[] = [];
  const sender = {
    send: (message: { exchange: string; routingKey: string }, limits: SendLimits, { onSent }: Attempt) => {
      timeouts.push(limits.end - systemClock.monotonic());
      done.push(`sent to ${message.exchange || message.routingKey}`);
      onSent(routed.shift() ?? false);
    },
    hold: (_message: unknown, _limits: unknown, ready: () => Promise<void>) => ready(),
  };
  const exchangeCache = {
    ...{ isBack: () => true, isWaiting: () => true },
    forgetWait: () => void done.push('wait queue forgotten'),
    ensureKept: ({ name }: { name: string }) => Promise.resolve(void done.push(`declared ${name}`)),
  };
  const publisher = new Publisher({
    ...{
      senders: { main: sender, of: () => sender },
      exchangeCache,
      clock: systemClock,
      settings: settings({ service: 's', publish: { timeout: '1h' } }),
    },
    shortenWait: (ms: number) => ms,
  } as never);
  return { publisher, done, timeouts };
}

const message = {
  ...{ exchange: '', routingKey: 'q', content: Buffer.alloc(0), properties: { messageId: 'm' } },
  mandatory: true,
};

describe.each([
  ['a retry', 'wait queue forgotten', (to: Publisher) => to.sendLater(message, 1_000, { kind: 'retry' })],
  ['a dead letter', 'declared q', (to: Publisher) => to.sendTo({ name: 'q', arguments: {} }, message)],
])('%s', (_what, mended, send) => {
  it('that no queue took is sent once more after what it needs is declared', async () => {
    const { publisher, done, timeouts } = publishing(false, true);
    await send(publisher);
    expect(done).toHaveLength(3);
    // Whatever a publish of the application may take.
    expect(Math.max(...timeouts)).toBeLessThanOrEqual(30_000);
    expect(done[1]).toBe(mended);
  });

  it('that no queue takes then either has not arrived', async () => {
    const { publisher, done } = publishing(false, false);
    await expect(send(publisher)).rejects.toMatchObject({ code: 'WARREN_UNROUTABLE' });
    expect(done).toHaveLength(3);
  });
});
