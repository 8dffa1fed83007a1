// Work that a handler returns instead of doing it, a generator or a function, is no success.
import { expect, it } from '@jest/globals';
import { of } from 'rxjs';
import { onEachBroker } from '../support/brokers.js';
import { eventOf, rejection, taken, warren } from '../support/warren.js';

onEachBroker('work that was returned and not done', (broker) => {
  let bodies = 0;
  function* body(): Generator<number> {
    yield ++bodies;
  }
  async function* later(): AsyncGenerator<number> {
    yield await Promise.resolve(++bodies);
  }

  it.each<[string, () => unknown]>([
    ['a generator', () => body()],
    ['an async generator', () => later()],
    ['a promise of one', () => Promise.resolve(later())],
    ['a function', () => () => bodies++],
    ['an Observable', () => of(1)],
  ])('%s is a dead letter that says so', async (_what, handle) => {
    const rabbit = await warren(broker.url)
      .consume('unrun', handle, { retry: { attempts: 3 } })
      .open();
    await rabbit.broker.send('unrun', 1);
    expect((await eventOf(rabbit, 'handled')).verdict).toMatchObject({
      kind: 'dead-letter',
      reason: 'rejected',
    });
    const letter = await taken(broker, 'unrun.dead');
    expect(letter.properties.headers?.['x-exception-message']).toMatch(
      /^unrun returned a.*work was not done/,
    );
    expect(bodies).toBe(0);
  });

  it('holds for batches and for those who ack by hand', async () => {
    const rabbit = await warren(broker.url)
      .batch('unrun.batch', () => body(), { batch: { size: 1 } })
      .consume('unrun.manual', () => later(), { ack: 'manual' })
      .open();
    for (const queue of ['unrun.batch', 'unrun.manual']) {
      await rabbit.broker.send(queue, 1);
      expect((await eventOf(rabbit, 'handled')).verdict).toMatchObject({
        kind: 'dead-letter',
        reason: 'rejected',
      });
    }
  });

  it('of an RPC handler, items are an answer and an Observable is an error', async () => {
    const rabbit = await warren(broker.url)
      .rpc('unrun.items', () => body())
      .rpc('unrun.of', () => of(1))
      .open();
    expect(await rabbit.broker.request('unrun.items', 1)).toBe(1);
    expect((await rejection(rabbit.broker.request('unrun.of', 1))).message).toContain('an Observable');
  });

  it('a generator function is refused before anything opens', async () => {
    const rabbit = warren(broker.url);
    const refused = expect.objectContaining({
      code: 'WARREN_CONFIG',
      message: expect.stringContaining('@Consume gen'),
    });
    expect(() => rabbit.consume('gen', body)).toThrow(refused);
    expect(() => rabbit.subscribe('gen.*', later)).toThrow(/@Subscribe on\.gen\.\*: it is a generator/);
    expect(() => rabbit.rpc('gen.rpc', later)).not.toThrow();
  });
});
