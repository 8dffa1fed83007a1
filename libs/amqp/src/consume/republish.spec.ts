// What of a message goes along when it is tried again or kept as a dead letter, and what stays behind.
import { describe, expect, it } from '@jest/globals';
import { Delivery } from '../message/delivery.js';
import { HEADER } from '../message/headers.js';
import type { Clock } from '../runtime/clock.js';
import { deadMessage, retryMessage, trialMessage } from './republish.js';

const error = new Error('no');
const clock = { wall: () => 1_000_000, monotonic: () => 5_000 } as unknown as Clock;

function delivered(properties: object = {}): Delivery {
  const message = { content: Buffer.from('1'), exchange: 'shop', routingKey: 'placed', redelivered: false };
  const all = { messageId: 'm', expiration: '60000', userId: 'u', headers: { mine: 1 }, ...properties };
  return new Delivery({ ...message, deliveryTag: 1, properties: all }, 'orders', {
    ...{ settle: () => undefined, warn: () => undefined },
  });
}

const retried = (delivery: Delivery, attempt = 3, after = 2_000) =>
  retryMessage(delivery, { kind: 'retry', attempt, after, error }, 100_000, clock);
const died = (delivery: Delivery) =>
  deadMessage(delivery, { kind: 'dead-letter', reason: 'rejected', error }, 'orders.dead', {
    ...{ now: 0, maxPropertyBytes: 100_000 },
  });
const tried = (delivery: Delivery) => trialMessage(delivery, { trial: 1, away: true }, 100_000);

describe('what is sent on', () => {
  it.each([
    ['a retry', retried],
    ['a dead letter', died],
    ['a suspect that is put away', tried],
  ])(
    '%s has neither the expiration, which would end its wait, nor the user, whom the broker checks',
    (_, made) => {
      const properties = made(delivered())?.properties;
      expect(properties).toMatchObject({ messageId: 'm', headers: { mine: 1 } });
      expect(properties).not.toHaveProperty('expiration');
      expect(properties).not.toHaveProperty('userId');
    },
  );

  it('goes to its queue, or the one for dead letters, and must arrive there', () => {
    expect(retried(delivered())).toMatchObject({ exchange: '', routingKey: 'orders', mandatory: true });
    expect(died(delivered())).toMatchObject({ exchange: '', routingKey: 'orders.dead', mandatory: true });
  });

  it('counts its attempts, so that they end', () => {
    const headers = retried(delivered(), 3)?.properties.headers;
    expect(headers).toMatchObject({ [HEADER.attempt]: 2, [HEADER.queue]: 'orders' });
    expect(headers).toMatchObject({ [HEADER.exchange]: 'shop', [HEADER.routingKey]: 'placed' });
    const back = new Delivery(
      { ...delivered().message, exchange: '', routingKey: 'orders', properties: { headers } },
      'orders',
      { settle: () => undefined, warn: () => undefined },
    );
    expect([back.attempt, back.exchange, back.routingKey]).toEqual([3, 'shop', 'placed']);
  });

  it('counts them as well when it was a dead letter that somebody put back as it is', () => {
    const put = delivered({ headers: { [HEADER.reason]: 'attempts-exhausted', [HEADER.attempt]: 4 } });
    for (const made of [retried(put), tried(put)])
      expect(made?.properties.headers).not.toHaveProperty(HEADER.reason);
  });

  it('carries what is left of the time of its caller when its wait is over', () => {
    const call = delivered();
    call.run.callerDeadline = 15_000;
    expect(retried(call, 2, 4_000)?.properties.headers).toMatchObject({
      ...{ [HEADER.timeLeft]: 6_000, [HEADER.deadline]: 1_010_000 },
    });
    expect(retried(delivered())?.properties.headers).not.toHaveProperty(HEADER.timeLeft);
  });
});
