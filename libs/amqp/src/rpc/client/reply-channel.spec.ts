// Calls that wait for the way to be open, and what becomes of them when the channel ends.

import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../../connection/connection.js';
import { Deadlines, systemClock } from '../../runtime/clock.js';
import { SILENT } from '../../runtime/logger.js';
import { settings } from '../../options/settings.js';
import { Events } from '../../events/emitter.js';
import { ChannelCloseReasons } from '../../publish/channel-replacement.js';
import { ExchangeCache } from '../../publish/exchange-cache.js';
import { Call, PendingCall, PendingCalls, timedOut } from './call.js';
import { ReplyChannel } from './reply-channel.js';

class Heard extends PendingCall {
  readonly heard: string[] = [];

  onReply = (): void => void this.heard.push('reply');
  onLost = (reason: string): void => void this.heard.push(`lost: ${reason}`);
  fail = ({ message }: Error): void => void this.heard.push(message);
}

function call(correlationId: string): Heard {
  const properties = { correlationId };
  return new Heard({ exchange: '', routingKey: 'q', content: Buffer.from('x'), properties, mandatory: true });
}

/** A line without a connection, or with one in that state. */
function line(state: Partial<Connection> = {}): ReplyChannel {
  const connection = {
    ...{ life: 0, blocked: false, opened: () => new Promise(() => undefined) },
    ...state,
  } as unknown as Connection;
  const closeReasons = new ChannelCloseReasons({
    connection,
    clock: systemClock,
    onForbidden: () => undefined,
  });
  return new ReplyChannel({
    ...{ connection, clock: systemClock, closeReasons, events: new Events(SILENT, 'test') },
    deadlines: new Deadlines(systemClock),
    settings: settings({ rpc: { maxPending: 5 }, logger: SILENT }),
    exchangeCache: { isKnown: () => true, refused: () => undefined } as unknown as ExchangeCache,
  });
}

describe('calls under way', () => {
  it('are as many as rpc.maxPending, and no more', () => {
    const made = line();
    const third = call('3');
    for (const one of [call('1'), call('2'), third, call('4')]) made.begin(one);
    expect(made.closeReason(undefined)).toBeUndefined();
    made.begin(call('5'));
    expect(made.closeReason(undefined)).toMatchObject({ code: 'WARREN_TOO_MANY_PENDING_CALLS' });
    made.ended(third, false);
    expect(made.closeReason(undefined)).toBeUndefined();
  });

  it('have each an id of its own', () => {
    const made = line();
    const first = call('1');
    made.begin(first);
    expect(made.closeReason('1')).toMatchObject({ code: 'WARREN_ENCODE' });
    expect(made.closeReason('2')).toBeUndefined();
    made.ended(first, false);
    expect(made.closeReason('1')).toBeUndefined();
  });
});

describe('a call that was never sent', () => {
  const SAFE = /nothing was sent, so it is safe to call again/;
  const unsent = (made: ReplyChannel, one: Heard): Error => {
    made.begin(one);
    return timedOut(one.message, 1_000, one.id, made.whyUnsent(one));
  };

  it.each<[string, Partial<Connection>, RegExp]>([
    ['no connection', { state: 'connecting' }, /was not sent within 1000 ms: there is no connection/],
    ['a broker that blocks', { state: 'open', blocked: true }, /the broker blocks publishing/],
    ['a full socket', { state: 'open' }, /the broker accepts messages too slowly/],
  ])('with %s says so, and that repeating it is safe', (_case, state, why) => {
    const error = unsent(line(state), call('1'));
    expect(error).toMatchObject({ code: 'WARREN_RPC_NOT_SENT', sent: false });
    expect(error.message).toMatch(why);
    expect(error.message).toMatch(SAFE);
  });

  it('is not every call that timed out', () => {
    const one = call('1');
    one.sent = true;
    const error = unsent(line(), one);
    expect(error).not.toHaveProperty('sent');
    expect(error.message).not.toMatch(SAFE);
  });

  it('with a full buffer says so, and that repeating it is safe', () => {
    const made = line();
    for (const id of ['1', '2', '3', '4', '5']) made.begin(call(id));
    const error = made.closeReason(undefined);
    expect(error).toMatchObject({ sent: false });
    expect(error?.message).toMatch(SAFE);
  });

  it('after the close, or when the close came first, says so too', async () => {
    const made = line();
    const waiting = call('1');
    made.begin(waiting);
    await made.close();
    expect(waiting.heard).toEqual([expect.stringMatching(/closed before the call could be sent/)]);
    expect(waiting.heard[0]).toMatch(SAFE);
    expect(made.closeReason(undefined)?.message).toMatch(SAFE);
  });
});

it('a call that was sent before does not end as refused, which would say that it has not run', () => {
  const made = line();
  const errors: Error[] = [];
  const again = { resends: 1, timeout: 60_000, cancellation: undefined, reading: {} as never };
  const one = new Call(
    { message: call('1').message, ...again },
    made,
    () => undefined,
    (error) => errors.push(error),
  );
  const other = call('2');
  for (const sent of [one, other]) {
    made.begin(sent);
    sent.sent = true;
  }
  one.onLost('gone');
  one.sent = true;
  const refused = `write access to exchange 'amq.default' in vhost '/' refused for user 'u'`;
  const reason = `Channel closed by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - ${refused}"`;
  (made as unknown as { lost(reason: string): void }).lost(reason);
  expect(errors).toMatchObject([{ code: 'WARREN_RPC_CONNECTION_LOST' }]);
  expect(other.heard[0]).toMatch(/not allowed|refuse|permission/);
});

describe('calls that wait to be sent', () => {
  it('give their places in the buffer back when they end', () => {
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
    const deadlines = new Deadlines(systemClock);
    const shared = { connection, clock: systemClock, deadlines, closeReasons };
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
      for (const one of calls) line.ended(one, true);
    }
    expect(line.pending).toBe(0);
  });

  it('outlive the channel on which others were sent', () => {
    const pendingCalls = new PendingCalls();
    const [sent, waits] = [call('sent'), call('waits')];
    for (const one of [sent, waits]) pendingCalls.add(one);
    sent.sent = true;
    pendingCalls.lost('gone');
    expect([sent.heard, waits.heard]).toEqual([['lost: gone'], []]);
  });
});
