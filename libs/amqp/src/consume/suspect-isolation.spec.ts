import { describe, expect, it } from '@jest/globals';
import type { Delivery } from '../message/delivery.js';
import { SuspectIsolation } from './suspects.js';

const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function started(): {
  alone: SuspectIsolation;
  said: string[];
  onTheWay: () => () => void;
  quiet: () => void;
  put: () => void;
  end: () => void;
  late: () => void;
  push: (...names: string[]) => void;
} {
  const said: string[] = [];
  let settled = Promise.resolve();
  const waits: Record<string, (() => void)[]> = { quiet: [], put: [], end: [], late: [] };
  const wait = (name: string): Promise<void> => new Promise((resolve) => waits[name].push(resolve));
  const go = (name: string) => () => waits[name].splice(0).forEach((resolve) => resolve());
  const say = (text: string): void => void said.push(text);
  const named = (delivery: Delivery): string => delivery as unknown as string;
  const alone = new SuspectIsolation({
    clock: {
      after: (_ms: number, callback: () => void) => (waits.late.push(callback), () => undefined),
    } as never,
    hold: () => say('hold'),
    release: () => say('release'),
    quiet: () => wait('quiet'),
    putAway: (delivery) => (say(`away ${named(delivery)}`), wait('put')),
    settled: () => settled,
    leave: (delivery) => say(`leave ${named(delivery)}`),
    run: (delivery) => (say(`run ${named(delivery)}`), wait('end')),
  });
  const push = (...names: string[]): void => names.forEach((name) => alone.push(name as never));
  /** Until what this returns is called, acks are on their way. */
  const onTheWay = (): (() => void) => {
    let taken = (): void => undefined;
    settled = new Promise((resolve) => (taken = resolve));
    return taken;
  };
  return {
    onTheWay,
    alone,
    said,
    quiet: go('quiet'),
    put: go('put'),
    end: go('end'),
    late: go('late'),
    push,
  };
}

describe('a suspect', () => {
  it('begins when what runs is done and all other suspects are put away; then others go on', async () => {
    const { said, quiet, put, end, push } = started();
    push('a', 'b', 'c');
    await turns();
    expect(said.splice(0)).toEqual(['hold']);
    quiet();
    await turns();
    expect(said.splice(0)).toEqual(['away b', 'away c']);
    put();
    await turns();
    expect(said.splice(0)).toEqual(['run a']);
    push('d');
    expect(said.splice(0)).toEqual(['away d']);
    put();
    end();
    await turns();
    expect(said.splice(0)).toEqual(['release']);
    push('e');
    quiet();
    await turns();
    expect(said).toEqual(['hold', 'run e']);
  });

  it('that neither ends nor kills holds the others up for a while only', async () => {
    const { said, quiet, late, push } = started();
    push('a');
    quiet();
    await turns();
    late();
    await turns();
    expect(said).toEqual(['hold', 'run a', 'release']);
  });

  it('is not begun any more when the consumer ends, nor when its channel is gone', async () => {
    const { alone, said, quiet, push } = started();
    push('a', 'b');
    alone.forget((delivery) => (delivery as unknown) === 'a');
    expect(alone.stop()).toEqual(['b']);
    quiet();
    push('c');
    await turns();
    expect(said).toEqual(['hold', 'leave c', 'release']);
  });

  it('is not begun when its channel dies while acks are on their way', async () => {
    const { alone, said, quiet, push, onTheWay } = started();
    const arrive = onTheWay();
    push('a');
    quiet();
    await turns();
    alone.forget((delivery) => (delivery as unknown) === 'a');
    arrive();
    await turns();
    expect(said).toEqual(['hold', 'release']);
  });
});
