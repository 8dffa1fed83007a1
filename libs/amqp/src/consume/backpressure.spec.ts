// What arrives without acks is bounded: the flow stops at the bound, and goes on at half of it.
import { expect, it } from '@jest/globals';
import { Backpressure } from './scheduler.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function flowing(limits = { messages: 10, bytes: 1_000 }) {
  const done: string[] = [];
  const pause = () => {
    done.push('paused');
    return Promise.resolve(() => Promise.resolve(void done.push('resumed')));
  };
  const flow = new Backpressure(pause, limits);
  const arrive = (count: number, bytes = 1): void => {
    for (let n = 0; n < count; n++) flow.arrived(bytes);
  };
  const handle = async (count: number, bytes = 1): Promise<void> => {
    await turn();
    for (let n = 0; n < count; n++) flow.handled(bytes);
    await turn();
  };
  return { flow, done, arrive, handle };
}

it('stops at so many messages, and goes on when half of them are handled, again and again', async () => {
  const { done, arrive, handle } = flowing();
  arrive(9);
  await turn();
  expect(done).toEqual([]);
  // What was on its way when the flow stopped.
  arrive(5);
  await handle(9);
  expect(done).toEqual(['paused']);
  await handle(1);
  expect(done).toEqual(['paused', 'resumed']);
  arrive(6);
  await handle(6);
  expect(done).toEqual(['paused', 'resumed', 'paused', 'resumed']);
});

it('stops at so many bytes', async () => {
  const { done, arrive, handle } = flowing();
  arrive(2, 500);
  await handle(1, 500);
  expect(done).toEqual(['paused']);
  await handle(1, 500);
  expect(done).toEqual(['paused', 'resumed']);
});

it('a consumer that comes back meanwhile waits for the same', async () => {
  const { flow, arrive, handle } = flowing();
  let began = false;
  await flow.untilFree();
  arrive(10);
  void flow.untilFree().then(() => (began = true));
  await handle(5);
  expect(began).toBe(false);
  await handle(1);
  expect(began).toBe(true);
});
