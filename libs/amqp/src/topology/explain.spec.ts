import { describe, expect, it } from '@jest/globals';
import { explain } from './explain.js';

const asked = { what: 'queue', name: 'orders', askedBy: '@Consume Orders.place' } as const;
const refusal = (code: number, name: string, text: string): Error =>
  Object.assign(new Error(`Operation failed: QueueDeclare; ${code} (${name}) with message "${text}"`), {
    code,
  });

describe('what the broker has against a declaration', () => {
  it.each([
    [
      "x-message-ttl' for queue 'orders' in vhost '/': received '2000' but current is '1000'",
      'x-message-ttl',
      "'2000'",
      "'1000'",
    ],
    [
      "x-max-length' for queue 'orders' in vhost 'v': received the value '5' of type 'signedint' but current is none",
      'x-max-length',
      "'5'",
      'none',
    ],
    [
      "x-queue-type' for queue 'orders' in vhost '/': received none but current is the value 'quorum' of type 'longstr'",
      'x-queue-type',
      'none',
      "'quorum'",
    ],
    [
      "durable' for queue 'orders' in vhost '/': received 'true' but current is 'false'",
      'durable',
      "'true'",
      "'false'",
    ],
  ])('406: %s', (text, argument, wanted, current) => {
    const error = explain(
      refusal(406, 'PRECONDITION-FAILED', `PRECONDITION_FAILED - inequivalent arg '${text}`),
      asked,
    );
    expect(error).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISMATCH',
      facts: { what: 'queue', name: 'orders', argument, wanted, current, askedBy: asked.askedBy },
    });
  });

  it('other codes', () => {
    expect(
      explain(refusal(404, 'NOT-FOUND', "NOT_FOUND - no exchange 'gone' in vhost '/'"), asked),
    ).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISSING',
      what: 'exchange',
      missing: 'gone',
    });
    expect(explain(refusal(403, 'ACCESS-REFUSED', 'ACCESS_REFUSED - ...'), asked)).toMatchObject({
      code: 'WARREN_ACCESS_REFUSED',
    });
    expect(explain(refusal(405, 'RESOURCE-LOCKED', 'RESOURCE_LOCKED - ...'), asked)).toMatchObject({
      code: 'WARREN_QUEUE_LOCKED',
    });
    const invalid = explain(
      refusal(406, 'PRECONDITION-FAILED', 'PRECONDITION_FAILED - invalid arg'),
      asked,
    ) as Error;
    expect(invalid).toMatchObject({
      code: 'WARREN_CONFIG',
      message: expect.stringContaining('@Consume Orders.place'),
    });
    expect(explain(new Error('Channel ended, no reply will be forthcoming'), asked)).toMatchObject({
      code: 'WARREN_CONNECTION_LOST',
      message: expect.stringContaining('@Consume Orders.place'),
    });
  });
});
