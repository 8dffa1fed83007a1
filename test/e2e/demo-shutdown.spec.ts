// SIGTERM on the demo applications, as an orchestrator sends it: what runs is finished, what was published is
// confirmed, nothing new is begun, and the process ends in time, also when the broker does not answer any more.
import { afterEach, expect, it } from '@jest/globals';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { count } from '../support/warren.js';
import { produceHere } from './demo-here.js';
import { consumer, start, withApplications, type Child } from './demo-processes.js';

/** How long a task takes, in milliseconds: long enough to be running when the signal comes. */
const TASK = 1_000;
/** What a process may need on top of what it waits for, less than `shutdown`: a few hundred on a quiet machine. */
const SLACK = 8_000;

withApplications();

const taps: Tap[] = [];
afterEach(() => {
  for (const tap of taps.splice(0)) tap.cut();
});

async function tapped(broker: TestBroker): Promise<Tap> {
  const tap = await Tap.open(broker.url);
  taps.push(tap);
  return tap;
}

/** Sends SIGTERM; resolves with the exit code and the milliseconds it took. */
async function terminate(child: Child): Promise<{ code: number | null; ms: number }> {
  const began = performance.now();
  child.signal('SIGTERM');
  const { code } = await child.ended;
  return { code, ms: performance.now() - began };
}

onEachBroker('SIGTERM on the consumer', (broker) => {
  const worker = async (url: string, name: string, ...more: string[]): Promise<Child> => {
    const many = ['--name', name, '--prefetch', '20', '--concurrency', '10', '--dot', String(TASK)];
    return consumer(['work', ...many, ...more], url);
  };

  it('ten running handlers finish and are acked, none begins, and the process ends with them', async () => {
    const child = await worker(broker.url, 'ten');
    await produceHere(['work', 'task.', '--name', 'ten', '--repeat', '15'], broker.url);
    await child.wait('got', 10);
    const { code, ms } = await terminate(child);
    expect([code, child.complaints]).toEqual([0, '']);
    expect([child.all('got').length, child.all('done').length]).toEqual([10, 10]);
    expect(ms).toBeLessThan(TASK + SLACK);
    // The five that were handed out and had not begun went back; nothing is left unacked.
    expect(await count(broker, 'ten')).toBe(5);
  });

  it('with nothing to do it ends at once', async () => {
    const child = await worker(broker.url, 'idle');
    const { code, ms } = await terminate(child);
    expect([code, child.complaints]).toEqual([0, '']);
    expect(ms).toBeLessThan(SLACK);
  });

  it('with the broker gone, running handlers still finish, and nothing else is waited for', async () => {
    const tap = await tapped(broker);
    const [busy, idle] = await Promise.all([worker(tap.url, 'gone'), worker(tap.url, 'gone.idle')]);
    await produceHere(['work', 'task.', '--name', 'gone', '--repeat', '10'], broker.url);
    await busy.wait('got', 10);
    tap.cut();
    const [ended, atOnce] = await Promise.all([terminate(busy), terminate(idle)]);
    expect([ended.code, busy.all('done').length, atOnce.code]).toEqual([0, 10, 0]);
    expect(ended.ms).toBeLessThan(TASK + SLACK);
    expect(atOnce.ms).toBeLessThan(SLACK);
    // Nobody could ack them, so the broker has them again.
    await until(async () => (await count(broker, 'gone')) === 10, 'the ten to be back in the queue');
  });

  it('with the broker frozen, it ends within `shutdown` and what closing may take', async () => {
    const tap = await tapped(broker);
    const child = await worker(tap.url, 'frozen', '--shutdown', '1500');
    await produceHere(['work', 'task.', '--name', 'frozen', '--repeat', '10'], broker.url);
    await child.wait('got', 10);
    tap.shut();
    const { code, ms } = await terminate(child);
    expect([code, child.all('done').length]).toEqual([0, 10]);
    // 1.5 s for consumers, 1.5 s for publishes, 1 s for a channel, 2 s for a connection.
    expect(ms).toBeLessThan(6_000 + SLACK);
  });
});

onEachBroker('SIGTERM on the producer', (broker) => {
  const MANY = 300;
  const publishing = (url: string, name: string, ...more: string[]): Child => {
    const large = 'x'.repeat(4_000);
    return start(
      'producer',
      ['work', large, '--name', name, '--repeat', String(MANY), '--json', ...more],
      url,
    );
  };

  /** Starts it and holds the broker's answers as soon as the first confirm is through. */
  const outstanding = async (tap: Tap, name: string, ...more: string[]): Promise<Child> => {
    await produceHere(['work', 'first', '--name', name], broker.url);
    const child = publishing(tap.url, name, ...more);
    tap.shutAfter(50_000);
    await until(async () => (await count(broker, name)) === 1 + MANY, 'the broker to have all');
    expect(child.all('sent').length).toBeLessThan(MANY);
    return child;
  };

  it('what is being published is confirmed before the process ends', async () => {
    const tap = await tapped(broker);
    const child = await outstanding(tap, 'confirmed');
    const ending = terminate(child);
    // waits: that a process does not end yet is a matter of time
    const early = await Promise.race([ending, new Promise((resolve) => setTimeout(resolve, 500, 'runs'))]);
    expect(early).toBe('runs');
    tap.open();
    expect([(await ending).code, child.complaints]).toEqual([0, '']);
    expect(child.all('sent')).toHaveLength(MANY);
  });

  it('with the broker gone, it ends at once and says that not all is known to be sent', async () => {
    const tap = await tapped(broker);
    const child = await outstanding(tap, 'lost');
    tap.cut();
    const { code, ms } = await terminate(child);
    expect(code).toBe(1);
    expect(child.complaints).toMatch(/lost|unknown/i);
    expect(ms).toBeLessThan(SLACK);
  });

  it('with the broker frozen, it ends within `shutdown` and what closing may take', async () => {
    const tap = await tapped(broker);
    const child = await outstanding(tap, 'ice', '--shutdown', '1500');
    const { code, ms } = await terminate(child);
    expect(code).toBe(1);
    expect(child.complaints).not.toBe('');
    expect(ms).toBeLessThan(6_000 + SLACK);
  });
});
