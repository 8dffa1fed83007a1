import { describe, expect, it } from '@jest/globals';
import { declareError } from './declare-error.js';

const asked = {
  ...({ what: 'queue', name: 'orders', declaredBy: '@Consume Orders.place' } as const),
  arguments: { 'x-message-ttl': '60000' },
};
const closeReason = (code: number, name: string, text: string): Error =>
  Object.assign(new Error(`Operation failed: QueueDeclare; ${code} (${name}) with message "${text}"`), {
    code,
  });

describe('what the broker has against a declaration', () => {
  it.each([
    ['QueueDeclare', '', 'queue', "queue 'orders'", 'configure'],
    ['QueueDeclare', '', 'queue', "exchange 'amq.default'", 'write'],
    ['QueueBind', '', 'binding', "exchange 'events'", 'read'],
    ['QueueBind', '', 'binding', "queue 'orders'", 'write'],
    ['BasicConsume', '', 'queue', "queue 'orders'", 'read'],
    ['QueueDeclare', 'read ', 'queue', "queue 'orders'", 'read'],
  ] as const)(
    '403: %s, %saccess to a %s, %s: names resource and permission %s',
    (operation, said, what, resource, permission) => {
      const text = `ACCESS_REFUSED - ${said}access to ${resource} in vhost '/' refused for user 'u'`;
      const name = what === 'binding' ? 'events -> orders' : 'orders';
      const error = declareError(
        new Error(`Operation failed: ${operation}; 403 (ACCESS-REFUSED) with message "${text}"`),
        { ...asked, what, name },
      );
      expect(error).toMatchObject({ code: 'WARREN_ACCESS_REFUSED', permission });
      expect((error as Error).message).toContain(resource);
      expect((error as Error).message).toContain(asked.declaredBy);
    },
  );

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
      "x-message-ttl' for queue 'orders' in vhost '/': received '60000' but current is '60000'",
      'x-message-ttl',
      "'60000' (a string)",
      "'60000' (a number)",
    ],
    [
      "durable' for queue 'orders' in vhost '/': received 'true' but current is 'false'",
      'durable',
      "'true'",
      "'false'",
    ],
  ])('406: %s', (text, argument, wanted, current) => {
    const error = declareError(
      closeReason(406, 'PRECONDITION-FAILED', `PRECONDITION_FAILED - inequivalent arg '${text}`),
      asked,
    );
    expect(error).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISMATCH',
      facts: { what: 'queue', name: 'orders', argument, wanted, current, declaredBy: asked.declaredBy },
    });
  });

  it('other codes', () => {
    expect(
      declareError(closeReason(404, 'NOT-FOUND', "NOT_FOUND - no exchange 'gone' in vhost '/'"), asked),
    ).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISSING',
      what: 'exchange',
      missing: 'gone',
    });
    expect(declareError(closeReason(403, 'ACCESS-REFUSED', 'ACCESS_REFUSED - ...'), asked)).toMatchObject({
      code: 'WARREN_ACCESS_REFUSED',
    });
    expect(declareError(closeReason(405, 'RESOURCE-LOCKED', 'RESOURCE_LOCKED - ...'), asked)).toMatchObject({
      code: 'WARREN_QUEUE_LOCKED',
    });
    const invalid = declareError(
      closeReason(406, 'PRECONDITION-FAILED', 'PRECONDITION_FAILED - invalid arg'),
      asked,
    ) as Error;
    expect(invalid).toMatchObject({
      code: 'WARREN_CONFIG',
      message: expect.stringContaining('@Consume Orders.place'),
    });
    expect(declareError(new Error('Channel ended, no reply will be forthcoming'), asked)).toMatchObject({
      code: 'WARREN_CONNECTION_LOST',
      message: expect.stringContaining('@Consume Orders.place'),
    });
  });

  it.each([
    [503, 'COMMAND-INVALID', "COMMAND_INVALID - unknown exchange type 'x-odd'"],
    [406, 'PRECONDITION-FAILED', "PRECONDITION_FAILED - unknown exchange type 'x-odd'"],
  ])('an unknown type of exchange needs a plugin, whether the broker says it with %d', (code, name, text) => {
    expect(declareError(closeReason(code, name, text), { ...asked, what: 'exchange' })).toMatchObject({
      code: 'WARREN_CONFIG',
      hint: expect.stringContaining('plugin'),
    });
  });

  it.each([
    ['orders', /declare: 'check'/],
    ['orders.dead', /deadLetter: false/],
    ['warren.orphans', /it is declared again$/],
  ])('a mismatch of %s says what helps there', (name, hint) => {
    const text = `PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue '${name}' in vhost '/': received none but current is 'quorum'`;
    expect(declareError(closeReason(406, 'PRECONDITION-FAILED', text), { ...asked, name })).toMatchObject({
      facts: { name },
      hint: expect.stringMatching(hint),
    });
  });

  it('what the client library cannot write down is no lost connection', () => {
    const unwritable = new TypeError("Field 'queue' is the wrong type");
    expect(declareError(unwritable, asked)).toMatchObject({ code: 'WARREN_CONFIG' });
  });

  it.each(["it's", "a' in vhost 'b"])('names that look like words of the broker: %s', (name) => {
    const mismatch = `PRECONDITION_FAILED - inequivalent arg 'durable' for queue '${name}' in vhost '/': received 'true' but current is 'false'`;
    expect(declareError(closeReason(406, 'PRECONDITION-FAILED', mismatch), { ...asked, name })).toMatchObject(
      {
        facts: { name, argument: 'durable' },
      },
    );
    const gone = `NOT_FOUND - no queue '${name}' in vhost '/'`;
    expect(declareError(closeReason(404, 'NOT-FOUND', gone), { ...asked, name })).toMatchObject({
      missing: name,
    });
  });
});

it('a missing exchange: who publishes is not told to write a handler otherwise', () => {
  const text =
    "Operation failed: ExchangeDeclare; 404 (NOT-FOUND) with message \"NOT_FOUND - no exchange 'x' in vhost '/'\"";
  const hint = (declaredBy: string): unknown =>
    (declareError(new Error(text), { what: 'exchange', name: 'x', declaredBy }) as { hint?: unknown }).hint;
  expect(hint('@Consume q')).toContain('{ name, type }');
  expect(hint('a publish')).not.toContain('{ name, type }');
  expect(hint('a publish')).toContain('check its name');
});
