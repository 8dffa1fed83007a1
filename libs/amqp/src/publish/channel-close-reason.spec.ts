// What a user may not do is remembered for a while, said once, and bounded: keys are chosen by whoever publishes.
import { describe, expect, it } from '@jest/globals';
import { channelCloseReason, ChannelCloseReasons, type ChannelCloseReason } from './channel-replacement.js';

const closeReason = (topic: string): ChannelCloseReason =>
  channelCloseReason(
    `Channel closed by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - access to topic '${topic}' in exchange 'x' in vhost '/' refused for user 'u'"`,
  ) as ChannelCloseReason;

function remembering() {
  const time = { now: 0 };
  const told: string[] = [];
  const connection = { life: 1 };
  const clock = { wall: () => 0, monotonic: () => time.now, after: () => () => undefined };
  const closeReasons = new ChannelCloseReasons({
    connection,
    clock,
    onForbidden: ({ message }) => told.push(message),
  });
  const isRefused = (routingKey: string): boolean =>
    closeReasons.of({ exchange: 'x', routingKey }) !== undefined;
  return { refusals: closeReasons, isRefused, time, told, connection };
}

describe('what may not be published', () => {
  it('is refused for 5 s in one life of the connection, by its key alone, and said once', () => {
    const { refusals: closeReasons, isRefused, time, told, connection } = remembering();
    closeReasons.remember(closeReason('a'));
    expect([isRefused('a'), isRefused('b')]).toEqual([true, false]);
    time.now = 4_999;
    expect(isRefused('a')).toBe(true);
    time.now = 5_000;
    expect(isRefused('a')).toBe(false);
    closeReasons.remember(closeReason('a'));
    expect([isRefused('a'), told.length]).toEqual([true, 1]);
    connection.life++;
    expect(isRefused('a')).toBe(false);
  });

  it('is remembered of a thousand keys at most', () => {
    const { refusals: closeReasons, isRefused } = remembering();
    const keys = Array.from({ length: 1_001 }, (_, n) => `k${n}`);
    for (const key of keys) closeReasons.remember(closeReason(key));
    expect(isRefused('k1000')).toBe(true);
    expect(keys.filter(isRefused).length).toBeLessThanOrEqual(1_000);
  });
});
