// What one refusal costs the rest: nothing.
import { expect, it } from '@jest/globals';
import type { DeclaringConnection } from './declare.js';
import type { QueueSpec } from './specs.js';
import { redeclare } from './reconciler.js';

it('everything that the broker does not refuse is declared, and each refusal is told', async () => {
  const declared: string[] = [];
  const refused = (name: string): Error =>
    Object.assign(new Error(`Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) for '${name}'`), {
      code: 406,
    });
  const channel = {
    assertQueue: (name: string) => {
      if (name.startsWith('bad')) return Promise.reject(refused(name));
      return Promise.resolve(declared.push(name));
    },
    bindQueue: (name: string) => Promise.resolve(declared.push(`binding of ${name}`)),
  };
  const connection: DeclaringConnection = { withChannel: (use) => use(channel as never) };
  const queue = (name: string): QueueSpec => ({
    ...{ name, durable: true, arguments: {}, declaredBy: 'a test', temporary: false, declare: 'create' },
  });
  const binding = {
    ...{ source: 'x', destination: { kind: 'queue' as const, name: 'good' }, key: 'k', arguments: {} },
    declaredBy: 'a test',
  };
  const errors = await redeclare(connection, {
    exchanges: [],
    queues: ['bad.one', 'good', 'bad.two', 'last'].map(queue),
    bindings: [binding],
  });
  expect(errors.map(({ message }) => /bad\.\w+/.exec(message)?.[0])).toEqual(['bad.one', 'bad.two']);
  expect(declared).toEqual(['good', 'last', 'binding of good']);
});
