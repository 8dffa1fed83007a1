// Asking a broker that is frozen whether a caller is still there.

import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../../connection/connection.js';
import { systemClock } from '../../runtime/clock.js';
import { CallerLiveness } from './caller-liveness.js';

const never = new Promise<never>(() => undefined);

describe('asking for callers', () => {
  it.each([
    ['opens no channel', { opened: () => Promise.resolve(), openChannel: () => never }],
    [
      'answers no question',
      {
        opened: () => Promise.resolve(),
        openChannel: () => Promise.resolve({ alive: true, declaring: { checkQueue: () => never } }),
      },
    ],
  ])('of a broker that %s ends with the time of the shutdown', async (_, connection) => {
    const callers = new CallerLiveness({
      connection: () => connection as unknown as Connection,
      clock: systemClock,
    });
    void callers.isGone('replies');
    let expire: () => void = () => undefined;
    const closed = callers.close(new Promise((resolve) => (expire = resolve)));
    let over = false;
    void closed.then(() => (over = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(over).toBe(false);
    expire();
    await closed;
    expect(over).toBe(true);
  });
});
