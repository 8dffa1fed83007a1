import { describe, expect, it } from '@jest/globals';
import { ExistingQueues, type TopologyPlan } from './plan.js';
import { withBrokerDeadLettering } from './retry-topology.js';
import { type DeclaringChannel, declarePermitted } from './declare.js';
import type { QueueSpec } from './specs.js';

/** A broker whose queues exist; it closes the channel for one that is declared otherwise. */
class Broker {
  readonly asked: string[] = [];
  channels = 0;

  constructor(
    readonly existing: Record<string, object>,
    private readonly refuses = (name: string, argument: string): string =>
      `406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg '${argument}' for queue '${name}' in vhost '/': received none but current is none"`,
  ) {}

  async withChannel<T>(use: (channel: DeclaringChannel) => Promise<T>): Promise<T> {
    this.channels++;
    return use({
      assertQueue: (name: string, { arguments: args }: { arguments: object }) => this.declare(name, args),
      checkQueue: (name: string) => this.check(name),
    } as DeclaringChannel);
  }

  private async check(name: string): Promise<void> {
    this.asked.push(name);
    if (name in this.existing) return;
    const text = `404 (NOT-FOUND) with message "NOT_FOUND - no queue '${name}' in vhost '/'"`;
    throw new Error(`Operation failed: QueueDeclare; ${text}`);
  }

  private async declare(name: string, args: object): Promise<void> {
    this.asked.push(name);
    const there = this.existing[name] ?? args;
    const names = new Set([...Object.keys(there), ...Object.keys(args)]);
    const different = [...names].find((key) => (there as never)[key] !== (args as never)[key]);
    if (different) throw new Error(`Operation failed: QueueDeclare; ${this.refuses(name, different)}`);
  }
}

const QUORUM = { 'x-queue-type': 'quorum' };
const quorum = (name: string): QueueSpec => ({
  ...{ name, durable: true, arguments: QUORUM, declare: 'create', declaredBy: 'A.b', temporary: false },
});
const wanted = (name: string): QueueSpec => withBrokerDeadLettering(quorum(name), 'wanted');

function planOf(...queues: QueueSpec[]): { plan: TopologyPlan; lines: string[] } {
  const lines: string[] = [];
  const logger = {
    log: () => undefined,
    error: () => undefined,
    warn: (line: string) => void lines.push(line),
  };
  return { plan: { exchanges: [], queues, bindings: [], accepted: new ExistingQueues(logger) }, lines };
}

describe('queues that exist otherwise than they would be made', () => {
  it('cost a channel each, once, and what was declared before is not declared again', async () => {
    const broker = new Broker({ two: QUORUM, three: QUORUM });
    const { plan, lines } = planOf(wanted('one'), wanted('two'), wanted('three'), wanted('four'));
    await declarePermitted(broker, plan);
    expect(broker).toMatchObject({ channels: 3, asked: ['one', 'two', 'two', 'three', 'three', 'four'] });
    await declarePermitted(broker, plan);
    expect(broker.channels).toBe(4);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(
      `rabbitmqctl set_policy -p VHOST --apply-to queues 'keep-two' '^two$' '{"dead-letter-exchange":"","dead-letter-routing-key":"two.dead","dead-letter-strategy":"at-least-once","overflow":"reject-publish"}'`,
    );
  });

  it('are made as they should be when they are gone', async () => {
    const broker = new Broker({ two: QUORUM });
    const made: object[] = [];
    const { plan } = planOf(wanted('one'), wanted('two'), wanted('three'));
    await declarePermitted(broker, plan);
    delete broker.existing.two;
    const { withChannel } = broker;
    broker.withChannel = (use) =>
      withChannel.call(broker, (channel: DeclaringChannel) => {
        const { assertQueue } = channel;
        channel.assertQueue = (name, options) => {
          if (name === 'two') made.push((options as { arguments: object }).arguments);
          return assertQueue.call(channel, name, options);
        };
        return use(channel);
      }) as never;
    await declarePermitted(broker, plan);
    expect(made).toEqual([{ ...QUORUM, ...wanted('two').deadLettering?.arguments }]);
  });

  it('are said once, by whichever connection they are found first', () => {
    const { plan, lines } = planOf();
    for (let n = 0; n < 2; n++) plan.accepted?.add({ queue: wanted('q'), why: 'exists', error: undefined });
    expect(lines).toHaveLength(1);
  });

  it('are taken with the arguments where nobody asked, without a word', async () => {
    const args = { ...QUORUM, ...wanted('q').deadLettering?.arguments };
    const { plan, lines } = planOf(withBrokerDeadLettering(quorum('q'), 'accepted'));
    await declarePermitted(new Broker({ q: args }), plan);
    expect(lines).toEqual([]);
  });

  it.each([wanted('q'), withBrokerDeadLettering(quorum('q'), 'accepted')])(
    'with a dead-letter exchange of somebody else are refused',
    async (queue) => {
      const broker = new Broker({ q: { ...QUORUM, 'x-dead-letter-exchange': 'other' } });
      const { plan, lines } = planOf(queue);
      await expect(declarePermitted(broker, plan)).rejects.toMatchObject({
        code: 'WARREN_TOPOLOGY_MISMATCH',
      });
      expect(lines).toEqual([]);
    },
  );

  it('are refused when something else differs as well', async () => {
    const { plan } = planOf(wanted('q'));
    const broker = new Broker({ q: { ...QUORUM, 'x-message-ttl': 1 } });
    await expect(declarePermitted(broker, plan)).rejects.toMatchObject({
      facts: { argument: 'x-message-ttl' },
    });
    // Without the arguments it would be refused as well.
    expect(broker.channels).toBe(1);
  });

  it('are declared without the arguments by a user who may not write to the default exchange', async () => {
    const text = `403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'u'"`;
    const { plan, lines } = planOf(wanted('q'));
    await declarePermitted(new Broker({ q: QUORUM }, () => text), plan);
    expect(lines).toEqual([expect.stringContaining('has no write permission on the default exchange')]);
  });
});
