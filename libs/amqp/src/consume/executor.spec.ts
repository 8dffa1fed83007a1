import { describe, expect, it } from '@jest/globals';
import { Delivery } from '../message/delivery.js';
import { KeyedExecutor } from './executor.js';

const sink = { settle: () => undefined, warn: () => undefined };
let tag = 0;

/** A delivery with the key that its name begins with; without one for '-'. */
const delivery = (name: string): Delivery =>
  new Delivery(
    {
      ...{ content: Buffer.from(name), exchange: 'e', routingKey: name, redelivered: false },
      ...{ deliveryTag: ++tag, properties: {} },
    },
    'q',
    sink,
  );
const names = (all: readonly Delivery[]): string[] => all.map(({ routingKey }) => routingKey);
const firstLetter = ({ routingKey }: { routingKey: string }): string | undefined =>
  routingKey.startsWith('-') ? undefined : routingKey[0];
const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('runs by key', () => {
  const working = (limit: number) => {
    const ends = new Map<string, () => void>();
    const begun: string[] = [];
    const queues = new KeyedExecutor(limit, firstLetter, ({ routingKey }) => {
      begun.push(routingKey);
      return new Promise((resolve) => ends.set(routingKey, resolve));
    });
    const push = (...all: string[]): Delivery[] =>
      all.map((name) => {
        const made = delivery(name);
        queues.push(made);
        return made;
      });
    const end = async (...all: string[]): Promise<void> => {
      for (const name of all) ends.get(name)?.();
      await immediate();
    };
    return { queues, begun, push, end };
  };

  it('know a key for as long as something of it is under way', async () => {
    const { queues, begun, push, end } = working(10);
    push('a1', 'a2', 'b1', '-1');
    expect([begun, queues.size]).toEqual([['a1', 'b1', '-1'], 2]);
    await end('b1', '-1', 'a1');
    expect([begun, queues.size]).toEqual([['a1', 'b1', '-1', 'a2'], 1]);
    await end('a2');
    expect(queues.size).toBe(0);
  });

  it('stopped, hand out what waits in the order it came, wherever it waits', async () => {
    const { queues, begun, push, end } = working(1);
    push('a1', 'a2', 'b1', 'a3', 'b2', '-1');
    expect(names(queues.stop())).toEqual(['a2', 'b1', 'a3', 'b2', '-1']);
    const idle = queues.idle();
    await end('a1');
    await idle;
    expect(begun).toEqual(['a1']);
  });

  it('forget what its channel took along, and go on with what came after it', async () => {
    const { queues, begun, push, end } = working(1);
    const gone = push('a1', 'b1', 'b2', 'c1');
    queues.forget((each) => gone.includes(each));
    push('b1 again', 'a1 again');
    await end('a1');
    await end('b1 again');
    await end('a1 again');
    expect([begun, queues.size]).toEqual([['a1', 'b1 again', 'a1 again'], 0]);
  });

  it('many synchronous runs with one key need no deep stack', async () => {
    const LONG = 20_000;
    let begun = 0;
    let open: () => void = () => undefined;
    const first = new Promise<void>((resolve) => (open = resolve));
    const queues = new KeyedExecutor(65_535, firstLetter, () => (++begun === 1 ? first : undefined));
    for (let n = 0; n < LONG; n++) queues.push(delivery('a'));
    expect(begun).toBe(1);
    open();
    for (let turn = 0; turn < 10 && queues.size > 0; turn++) await immediate();
    expect(begun).toBe(LONG);
  });

  it('keep what no key can be made of, for the step that refuses it', () => {
    const seen: unknown[] = [];
    const failing = (): never => {
      throw new Error('no key');
    };
    const queues = new KeyedExecutor(1, failing, ({ run }) => void seen.push(run.orderKeyError));
    queues.push(delivery('a'));
    expect(seen).toEqual([new Error('no key')]);
  });
});
