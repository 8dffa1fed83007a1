// Calls that wait for the way to be open, and what becomes of them when the channel ends.

import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../../connection/connection.js';
import { systemClock } from '../../runtime/clock.js';
import { SILENT } from '../../runtime/logger.js';
import type { OutgoingMessage } from '../../message/message.js';
import { settings } from '../../options/settings.js';
import { Events } from '../../events/emitter.js';
import { ChannelCloseReasons } from '../../publish/channel-close-reason.js';
import { ExchangeCache } from '../../publish/exchange-cache.js';
import { Entry, PendingCalls, type PendingCall } from './pending-calls.js';
import { ReplyChannel } from './reply-channel.js';

function call(id: string): PendingCall & { readonly heard: string[] } {
  const heard: string[] = [];
  return {
    id,
    heard,
    message: { exchange: '', routingKey: 'q', content: Buffer.from('x'), properties: {} } as OutgoingMessage,
    ended: false,
    onReply: () => heard.push('reply'),
    onReturned: () => heard.push('returned'),
    onLost: (reason) => heard.push(`lost: ${reason}`),
    fail: ({ message }) => heard.push(message),
  };
}

/** A line without a connection. */
function line(): ReplyChannel {
  const connection = {
    ...{ life: 0, blocked: false, opened: () => new Promise(() => undefined) },
  } as unknown as Connection;
  const closeReasons = new ChannelCloseReasons({
    connection,
    clock: systemClock,
    onForbidden: () => undefined,
  });
  return new ReplyChannel({
    ...{ connection, clock: systemClock, closeReasons, events: new Events(SILENT, 'test') },
    settings: settings({ rpc: { maxPending: 5 }, logger: SILENT }),
    exchangeCache: { isKnown: () => true } as unknown as ExchangeCache,
  });
}

describe('calls under way', () => {
  it('are as many as rpc.maxPending, and no more', () => {
    const made = line();
    for (const id of ['1', '2', '3', '4']) made.begin(call(id));
    expect(made.closeReason(undefined)).toBeUndefined();
    made.begin(call('5'));
    expect(made.closeReason(undefined)).toMatchObject({ code: 'WARREN_TOO_MANY_PENDING_CALLS' });
    made.end('3');
    expect(made.closeReason(undefined)).toBeUndefined();
  });

  it('have each an id of its own', () => {
    const made = line();
    made.begin(call('1'));
    expect(made.closeReason('1')).toMatchObject({ code: 'WARREN_ENCODE' });
    expect(made.closeReason('2')).toBeUndefined();
    made.end('1');
    expect(made.closeReason('1')).toBeUndefined();
  });
});

describe('calls that wait to be sent', () => {
  it('give their places in the room back when they end', () => {
    const connection = {
      life: 0,
      blocked: false,
      opened: () => new Promise(() => undefined),
    } as unknown as Connection;
    const closeReasons = new ChannelCloseReasons({
      connection,
      clock: systemClock,
      onForbidden: () => undefined,
    });
    const shared = { connection, clock: systemClock, closeReasons };
    const line = new ReplyChannel({
      ...shared,
      settings: settings({ rpc: { maxPending: 5 }, logger: SILENT }),
      events: new Events(SILENT, 'test'),
      exchangeCache: new ExchangeCache({
        ...shared,
        describe: () => undefined,
        ...{
          topology: { bind: () => Promise.resolve(), look: () => Promise.resolve() },
          service: 'test',
          onWait: () => undefined,
        },
      }),
    });
    for (let round = 0; round < 3; round++) {
      const calls = Array.from({ length: 5 }, (_, n) => call(`${round}.${n}`));
      for (const one of calls) line.begin(one);
      expect([line.pending, calls.flatMap(({ heard }) => heard)]).toEqual([5, []]);
      for (const { id } of calls) expect(line.end(id)).toBe(false);
    }
    expect(line.pending).toBe(0);
  });

  it('outlive the channel on which others were sent', () => {
    const pendingCalls = new PendingCalls();
    const [sent, waits] = [call('sent'), call('waits')];
    for (const one of [sent, waits]) pendingCalls.add(new Entry(one, () => undefined));
    (pendingCalls.get('sent') as Entry).sent = true;
    pendingCalls.lost('gone');
    expect([sent.heard, waits.heard]).toEqual([['lost: gone'], []]);
  });
});
