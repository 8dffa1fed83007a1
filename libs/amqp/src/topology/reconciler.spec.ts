// Who declares the plan, how often it is looked after, and what is said of it.
import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../connection/connection.js';
import { counters } from '../events/events.js';
import { SILENT } from '../runtime/logger.js';
import { Events } from '../events/emitter.js';
import type { TopologyPlan } from './plan.js';
import type { QueueSpec } from './specs.js';
import { TopologyReconciler } from './reconciler.js';

const queue: QueueSpec = {
  ...{ name: 'q', durable: true, arguments: {}, declaredBy: 'a test', temporary: false },
  declare: 'create',
};
const plan: TopologyPlan = {
  ...{ exchanges: [], queues: [queue] },
  bindings: [
    {
      ...{ source: 'x', destination: { kind: 'queue', name: 'q' }, key: 'k', arguments: {} },
      declaredBy: 'a test',
    },
  ],
};
const never = new Promise<never>(() => undefined);
const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
};

/** `answer` is what the broker says to each thing that is asked of it. */
function keeping(answer: (asked: string) => Promise<unknown> = () => Promise.resolve()) {
  const asked: string[] = [];
  const ask = (what: string): Promise<unknown> => (asked.push(what), answer(what));
  const channel = {
    assertQueue: (name: string) => ask(`declare ${name}`),
    checkQueue: (name: string) => ask(`look for ${name}`),
    bindQueue: (name: string, source: string) => ask(`bind ${name} to ${source}`),
  };
  const made = (): Connection => {
    const withChannel = (use: (given: typeof channel) => Promise<unknown>) => use(channel);
    return { ...{ state: 'open', blocked: false, life: 1 }, withChannel } as unknown as Connection;
  };
  const [one, other] = [made(), made()];
  const lines: string[] = [];
  const events = new Events(SILENT, 'test');
  const time = { now: 0 };
  const counted = counters();
  const keeper = new TopologyReconciler({
    ...{ counters: counted, events, timeout: 1_000, every: 0, plan: () => plan, connection: () => one },
    clock: { wall: () => 0, monotonic: () => time.now, after: () => () => undefined },
    logger: { ...SILENT, error: (line: string) => void lines.push(line) },
    temporary: () => ({ exchanges: [], queues: [], bindings: [] }),
  });
  const cameBack = (): void =>
    events.emit({ kind: 'returned', exchange: '', routingKey: 'q', messageId: 'm' });
  return { keeper, asked, one, other, lines, time, cameBack, counted, events };
}

describe('what is wanted', () => {
  it('is declared by one connection; the others wait for it and declare nothing again', async () => {
    let answered = (): void => undefined;
    const { keeper, asked, one, other } = keeping((what) =>
      what === 'declare q' ? new Promise<void>((resolve) => (answered = resolve)) : Promise.resolve(),
    );
    const both = Promise.all([keeper.ready(one, true, never), keeper.ready(other, true, never)]);
    await turns();
    expect(asked).toEqual(['declare q']);
    answered();
    await both;
    expect(asked).toEqual(['declare q', 'bind q to x']);
  });

  it('is bound again at each look, since nobody can ask whether a binding is there', async () => {
    const { keeper, asked } = keeping();
    await keeper.look();
    expect(asked).toEqual(['look for q', 'bind q to x']);
  });

  it('is looked for when a message of ours comes back, once a second at most', async () => {
    const { asked, time, cameBack } = keeping();
    time.now = 10_000;
    for (let n = 0; n < 5; n++) {
      cameBack();
      await turns();
    }
    time.now = 10_999;
    cameBack();
    await turns();
    expect(asked).toEqual(['look for q', 'bind q to x']);
    time.now = 11_000;
    cameBack();
    await turns();
    expect(asked).toHaveLength(4);
  });

  it('and refused is said once, not at each look', async () => {
    const no = new Error(
      "Operation failed: QueueBind; 404 (NOT-FOUND) with message \"NOT_FOUND - no exchange 'x' in vhost '/'\"",
    );
    const { keeper, lines } = keeping((what) =>
      what.startsWith('bind') ? Promise.reject(no) : Promise.resolve(),
    );
    await keeper.look();
    await keeper.look();
    expect(lines).toHaveLength(1);
  });

  it('and refused once is declared when a repair declares all of it', async () => {
    const refusal = new Error(
      "Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q'\"",
    );
    const gone = Object.assign(new Error('Operation failed: 404 (NOT-FOUND)'), { code: 404 });
    let fails = true;
    const { keeper, one, lines } = keeping((what) => {
      if (what === 'declare q' && fails) return Promise.reject(refusal);
      return what === 'look for q' ? Promise.reject(gone) : Promise.resolve();
    });
    await keeper.ready(one, false, never);
    expect(keeper.declared).toBe(false);
    fails = false;
    await keeper.look();
    expect(keeper.declared).toBe(true);
    expect(lines).toHaveLength(1);
    // Refused anew, it is said anew.
    fails = true;
    await keeper.look();
    expect([keeper.declared, lines.length]).toEqual([false, 2]);
  });
});

it('what the broker refuses to make again is not said to be back', async () => {
  let there = false;
  const gone = new Error(
    `Operation failed: QueueDeclare; 404 (NOT-FOUND) with message "NOT_FOUND - no queue 'q' in vhost '/'"`,
  );
  const { keeper, counted, events, lines } = keeping((what) =>
    there || what.startsWith('bind') ? Promise.resolve() : Promise.reject(gone),
  );
  const told: unknown[] = [];
  events.on((event) => void told.push(event.kind), ['topology-restored']);
  for (let n = 0; n < 2; n++) await keeper.look();
  expect([counted.topologyRestored, told.length, lines.length]).toEqual([0, 0, 1]);
  there = true;
  await keeper.look();
  expect(told).toEqual([]);
});
