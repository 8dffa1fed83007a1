// The reading end of a stream: order, credit, and every way it can end.
import { describe, expect, it } from '@jest/globals';
import { ReplyStream } from './stream.js';

function reading(credit = 4) {
  const grants: number[] = [];
  let stopped = 0;
  const sender = { read: (count: number) => void grants.push(count), stop: () => void stopped++ };
  const stream = new ReplyStream<number>(credit, sender, (reason) => new Error(`lost: ${reason}`));
  const push = (sequence: number, run = 'a') => stream.push(sequence * 10, { run, sequence });
  return { stream, push, grants, stopped: () => stopped };
}

async function all(stream: AsyncIterable<number>): Promise<(number | string)[]> {
  const seen: (number | string)[] = [];
  try {
    for await (const item of stream) seen.push(item);
  } catch (error) {
    seen.push((error as Error).message);
  }
  return seen;
}

describe('the reading end of a stream', () => {
  it('gives items in order, whether they come before or after they are asked for', async () => {
    const { stream, push } = reading();
    push(1);
    const reads = [stream.next(), stream.next(), stream.next()];
    push(2);
    stream.end(2, 'a');
    expect(await Promise.all(reads)).toEqual([
      { done: false, value: 10 },
      { done: false, value: 20 },
      { done: true, value: undefined },
    ]);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('tells how much was read, in halves of the credit, and again when it is asked to', async () => {
    const { stream, push, grants } = reading(4);
    for (const sequence of [1, 2, 3, 4]) push(sequence);
    expect(grants).toEqual([]);
    await stream.next();
    expect(grants).toEqual([]);
    await stream.next();
    await stream.next();
    await stream.next();
    expect(grants).toEqual([2, 4]);
    stream.remind();
    expect(grants).toEqual([2, 4, 4]);
  });

  it('tells an error after what came before it', async () => {
    const { stream, push } = reading();
    push(1);
    stream.fail(new Error('disk full'));
    push(2);
    expect(await all(stream)).toEqual([10, 'disk full']);
    expect(await all(stream)).toEqual([]);
  });

  it('stops its sender when the reader leaves, once', async () => {
    const { stream, push, stopped } = reading();
    push(1);
    push(2);
    for await (const item of stream) {
      expect(item).toBe(10);
      break;
    }
    expect(stopped()).toBe(1);
    await stream.return();
    expect(stopped()).toBe(1);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('ends at once when it is cancelled, and forgets what nobody read', async () => {
    const { stream, push, stopped } = reading();
    push(1);
    stream.cancel(new Error('cancelled'));
    expect(await all(stream)).toEqual(['cancelled']);
    expect(stopped()).toBe(1);
  });

  it('ignores what comes twice, and breaks off at a gap', async () => {
    const { stream, push, stopped } = reading();
    push(1);
    push(1);
    push(3);
    expect(await all(stream)).toEqual([10, 'lost: items 2 to 2 did not arrive']);
    expect(stopped()).toBe(1);
  });

  it('does not take an end for complete when items are missing', async () => {
    const { stream, push } = reading();
    push(1);
    stream.end(3, 'a');
    expect(await all(stream)).toEqual([10, 'lost: items 2 to 3 did not arrive']);
  });

  it('follows a sender that begins anew as long as nothing was read', async () => {
    const { stream, push } = reading();
    push(1, 'a');
    push(1, 'b');
    push(2, 'b');
    stream.end(2, 'b');
    expect(await all(stream)).toEqual([10, 20]);
  });

  it('fails when the sender begins anew after something was read', async () => {
    const { stream, push, stopped } = reading();
    push(1, 'a');
    await stream.next();
    push(1, 'b');
    expect(await all(stream)).toEqual(['lost: the server was lost, and another one restarted the stream']);
    expect(stopped()).toBe(1);
  });

  it('does not hold more than its credit', async () => {
    const { stream, push, stopped } = reading(2);
    for (const sequence of [1, 2, 3]) push(sequence);
    expect(await all(stream)).toEqual([10, 20, expect.stringContaining('more than its credit of 2 items')]);
    expect(stopped()).toBe(1);
  });

  it('does not hold more bytes than it may, and counts only what is not read yet', async () => {
    let stopped = 0;
    const sender = { read: () => undefined, stop: () => void stopped++ };
    const stream = new ReplyStream<number>(10, sender, (reason) => new Error(reason), 100);
    const push = (sequence: number, bytes: number) => stream.push(sequence, { run: 'a', sequence }, bytes);
    push(1, 60);
    push(2, 40);
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    push(3, 60);
    push(4, 1);
    expect(await all(stream)).toEqual([2, 3, expect.stringContaining('exceed 100 bytes')]);
    expect(stopped).toBe(1);
  });

  it('says how far it is when it is asked, also between the halves of its credit', async () => {
    const { stream, push, grants } = reading(4);
    stream.remind();
    push(1);
    stream.remind();
    expect(grants).toEqual([]);
    await stream.next();
    stream.remind();
    expect(grants).toEqual([1]);
  });
});
