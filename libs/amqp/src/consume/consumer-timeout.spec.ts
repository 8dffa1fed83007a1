import { describe, expect, it } from '@jest/globals';
import type { Delivery } from '../message/delivery.js';
import { cancelReason, heldTooLong, lossReason, stopLate, timesTakenBack } from './consumer-timeout.js';

const SAID =
  'Channel closed by server: 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - delivery acknowledgement on channel 2 timed out. Timeout value used: 5000 ms. This timeout value can be configured, see consumers doc guide to learn more"';

const held = (arrivedAt: number): Delivery =>
  ({ run: { arrivedAt, beganAt: 1 }, handler: 'H.h', message: { properties: { messageId: 'id' } } }) as never;

describe('a consumer timeout', () => {
  it('is told by what the broker says, and costs those their signal that were held so long', () => {
    const all = [held(0), held(500), held(8_000)];
    expect(heldTooLong(SAID, all, 9_000)).toEqual(all.slice(0, 2));
    expect(heldTooLong(SAID, all, 1_000)).toEqual([all[0]]);
    expect(heldTooLong('Connection closed', all, 9_000)).toEqual([]);
    expect(lossReason(SAID)).toMatch(/^consumer timeout: /);
    expect(lossReason('closed')).toBe('closed');
  });

  it('is told by the time that a message was held when the consumer is only cancelled', () => {
    expect(cancelReason([held(0)], 5_000, 5_000)).toMatch(/^consumer timeout: .* held for 5s/);
    expect(cancelReason([held(0)], 5_000, 60_000)).toContain('or the consumer timeout expired');
    expect(cancelReason([], 5_000, 5_000)).not.toContain('timeout');
  });

  it('is told by the counts with which RabbitMQ 4.3 delivers again', () => {
    expect(timesTakenBack({}, { 'x-acquired-count': 1 })).toBe(1);
    expect(timesTakenBack({}, { 'x-acquired-count': 2, 'x-delivery-count': 2 })).toBe(0);
    expect(timesTakenBack({ 'x-acquired-count': 1 }, { 'x-acquired-count': 3, 'x-delivery-count': 1 })).toBe(
      1,
    );
    expect(timesTakenBack({}, { 'x-delivery-count': 2 })).toBe(0);
  });

  it('says handler, message, queue and what to change', () => {
    const lines: string[] = [];
    const aborted: unknown[] = [];
    const one = { ...held(0), abort: (reason: unknown) => aborted.push(reason) } as never;
    stopLate(one, 'orders', 7_000, { warn: (line: string) => lines.push(line) } as never);
    for (const word of ['H.h', 'message id', "'orders'", 'consumerTimeout', 'consumer_timeout'])
      expect(lines[0]).toContain(word);
    expect(aborted).toEqual([expect.objectContaining({ code: 'WARREN_CONSUMER_TIMEOUT' })]);
  });
});
