// What an instance says of itself is not trusted: it may be broken, or another program.
import { expect, it } from '@jest/globals';
import type { Fleet } from './fleet.js';
import { traceMessage } from './trace-message.js';

it('no queue is looked into that is not for dead letters, whatever an instance names', async () => {
  const named = [
    'orders',
    'orders.dead',
    `${'x'.repeat(251)}.dead`,
    7,
    undefined,
    'orders.dead',
    'bills.dead',
  ];
  const many = Array.from({ length: 3_000 }, (_, n) => `q${n}.dead`);
  const infos = [
    { handlers: [null, 'orders', ...named.map((deadQueue) => ({ deadQueue }))] },
    { handlers: many.map((deadQueue) => ({ deadQueue })) },
    { handlers: { deadQueue: 'orders.dead' } },
    null,
  ];
  const answers = infos.map((value, n) => ({ from: { id: String(n) }, value }));
  const ask = (kind: string) => Promise.resolve({ answers: kind === 'info' ? answers : [], complete: true });
  const { instances } = await traceMessage({ ask } as unknown as Fleet, 'm1');
  expect(instances.map(({ deadQueues }) => deadQueues)).toEqual([
    ['orders.dead', 'bills.dead'],
    many.slice(0, 1_000),
    [],
    [],
  ]);
});
