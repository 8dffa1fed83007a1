// What is declared, only looked for, or left alone, and what a user may be refused.
import { describe, expect, it } from '@jest/globals';
import { declare, type DeclaringChannel, declarePermitted } from './declare.js';
import { withBrokerDeadLettering } from './retry-topology.js';
import type { TopologyPlan } from './plan.js';
import type { ExchangeSpec, QueueSpec } from './specs.js';

const exchange = (name: string, more: Partial<ExchangeSpec> = {}): ExchangeSpec => ({
  ...{ name, type: 'topic', durable: true, autoDelete: false, internal: false },
  ...{ arguments: {}, declare: 'create', declaredBy: 'a test' },
  ...more,
});
const queue = (name: string, more: Partial<QueueSpec> = {}): QueueSpec => ({
  ...{ name, durable: true, arguments: { 'x-queue-type': 'quorum' }, declare: 'create' },
  ...{ declaredBy: 'a test', temporary: false },
  ...more,
});

/** `refuse`: what the broker has against what is asked of it. */
function asking(refuse: (asked: string) => Error | undefined = () => undefined) {
  const asked: string[] = [];
  const args: object[] = [];
  const ask = (what: string): Promise<void> => {
    asked.push(what);
    const error = refuse(what);
    return error ? Promise.reject(error) : Promise.resolve();
  };
  const channel: DeclaringChannel = {
    assertExchange: (name) => ask(`declare ${name}`),
    checkExchange: (name) => ask(`look for ${name}`),
    assertQueue: (name, options) => (args.push(options), ask(`declare queue ${name}`)),
    checkQueue: (name) => ask(`look for queue ${name}`),
    bindQueue: (name, source) => ask(`bind ${name} to ${source}`),
    bindExchange: (name, source) => ask(`bind ${name} to ${source}`),
  };
  const withChannel = <T>(use: (given: DeclaringChannel) => Promise<T>): Promise<T> => use(channel);
  return { asked, args, channel, connection: { withChannel } };
}

const plan = (queues: QueueSpec[], exchanges: ExchangeSpec[] = []): TopologyPlan => ({
  ...{ exchanges, queues, bindings: [] },
});

describe('a declaration', () => {
  it('creates, looks, or leaves alone, as it is told', async () => {
    const { asked, channel } = asking();
    const exchanges = [
      ...[
        exchange('made'),
        exchange('checked', { declare: 'check' }),
        exchange('skipped', { declare: 'skip' }),
      ],
      ...[exchange('named', { type: undefined, declare: 'check' }), exchange('')],
    ];
    const queues = [
      ...[queue('made'), queue('checked', { declare: 'check' }), queue('skipped', { declare: 'skip' })],
    ];
    await declare(channel, plan(queues, exchanges));
    expect(asked).toEqual([
      ...['declare made', 'look for checked', 'look for named'],
      ...['declare queue made', 'look for queue checked'],
    ]);
  });

  it.each(['wanted', 'unwanted', 'accepted'] as const)(
    'has the arguments with which the broker dead-letters only where somebody wants them (%s)',
    async (mode) => {
      const { args, channel } = asking();
      await declare(channel, plan([withBrokerDeadLettering(queue('q'), mode)]));
      const [{ arguments: sent }] = args as { arguments: object }[];
      expect('x-dead-letter-exchange' in sent).toBe(mode === 'wanted');
    },
  );
});

describe('what a user may not declare', () => {
  const REFUSED = (name: string): Error =>
    new Error(
      `Operation failed: QueueDeclare; 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - access to queue '${name}' in vhost '/' refused for user 'u'"`,
    );
  const refuse = (asked: string): Error | undefined =>
    asked.startsWith('declare queue ') ? REFUSED(asked.slice('declare queue '.length)) : undefined;

  it.each(['orders.dead', 'warren.orphans'])(
    'is looked for when Warren adds it by itself (%s)',
    async (name) => {
      const { asked, connection } = asking(refuse);
      await declarePermitted(connection, plan([queue(name)]));
      expect(asked).toEqual([`declare queue ${name}`, `look for queue ${name}`]);
    },
  );

  it('is an error when it is what the user asked for', async () => {
    const { asked, connection } = asking(refuse);
    await expect(declarePermitted(connection, plan([queue('orders')]))).rejects.toMatchObject({
      code: 'WARREN_ACCESS_REFUSED',
    });
    expect(asked).toEqual(['declare queue orders']);
  });
});
