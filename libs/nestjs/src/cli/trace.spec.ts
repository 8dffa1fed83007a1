// What `warren trace` prints of what instances and dead-letter queues tell, of which nothing is trusted, and its exit codes.
import { describe, expect, it } from '@jest/globals';
import {
  AccessRefusedError,
  type DeadLetter,
  type MessageTrace,
  type TracedInstance,
  type TracedMessage,
} from '@warren/amqp';
import { UsageError } from './arguments.js';
import { parseTrace, runTrace, type TraceSources } from './trace.js';

const evil = 'x\u001b[2J\n\u202e';

function instance(service: string, journal: TracedInstance['journal'], deadQueue: string): TracedInstance {
  const more = { id: service, connection: 'default', host: 'h', pid: 7, version: '1', startedAt: '' };
  return { from: { service, ...more }, journal, deadQueues: [deadQueue] };
}

const message: TracedMessage = {
  id: 'm1',
  depth: 0,
  exchange: 'events',
  routingKey: 'order.made',
  by: evil,
  steps: [
    {
      what: 'sent',
      kind: 'publish',
      at: '2026-01-01T00:00:00.000Z',
      exchange: 'events',
      bytes: 2,
      instance: 'shop',
    },
  ],
};

const letter = {
  id: 'm1',
  deadQueue: 'q.dead',
  position: 3,
  queue: 'q',
  reason: 'rejected',
  handler: 'Orders.place',
  attempts: 2,
  error: 'TypeError',
  errorMessage: evil,
  errorStack: 'stack',
  failedAt: new Date('2026-01-01T00:00:01Z'),
  replayed: 0,
  byBroker: false,
  properties: {},
  headers: {},
  content: Buffer.from('body'),
} as unknown as DeadLetter;

const nothing: MessageTrace = { messages: [], instances: [], leftOut: 0, complete: true };

async function run(trace: MessageTrace, queues: Record<string, DeadLetter[] | Error>, ...args: string[]) {
  const lines: { out: string[]; err: string[] } = { out: [], err: [] };
  const read: string[] = [];
  const sources: TraceSources = {
    trace: () => Promise.resolve(trace),
    async *dead(queue) {
      read.push(queue);
      const found = await Promise.resolve(queues[queue] ?? []);
      if (found instanceof Error) throw found;
      yield* found;
    },
  };
  const terminal = {
    out: (line: string) => void lines.out.push(line),
    err: (line: string) => void lines.err.push(line),
    ...{ program: '', environment: {}, signal: new AbortController().signal },
  };
  const code = await runTrace(['m1', ...args], terminal, sources);
  return { code, read, ...lines };
}

describe('`warren trace`', () => {
  it('prints what happened and where dead letters lie, and on stderr who was asked', async () => {
    const other = { ...letter, id: 'other' };
    const chained = { ...other, properties: { correlationId: 'm1' }, position: 4, handler: undefined };
    const instances = [
      instance('shop', 'answered', 'q.dead'),
      instance('bill', 'answered', 'q.dead'),
      instance('mail', 'unknown', 'mail.dead'),
      instance('odd', 'unreadable', 'secret.dead'),
      instance('slow', 'missing', 'q.dead'),
    ];
    const { code, out, err, read } = await run(
      { messages: [message], instances, leftOut: 2, complete: false },
      {
        'q.dead': [other, letter, chained],
        'secret.dead': new AccessRefusedError('queue secret.dead', "queue 'secret.dead'", 'no'),
      },
    );
    expect(code).toBe(0);
    expect(read).toEqual(['q.dead', 'mail.dead', 'secret.dead']);
    expect(out).toEqual([
      "message m1 to events with key 'order.made', by x\\x1b[2J\\x0a\\u{202e}\n        +0 ms  published, 2 bytes, on its way",
      'dead letter m1 lies in q.dead at position 3 since 2026-01-01T00:00:01.000Z, rejected, Orders.place, 2 attempts, TypeError: x\\x1b[2J\\x0a\\u{202e}',
      'dead letter other lies in q.dead at position 4 since 2026-01-01T00:00:01.000Z, rejected, TypeError: x\\x1b[2J\\x0a\\u{202e}',
    ]);
    expect(err).toEqual([
      expect.stringMatching(/^Queue secret\.dead was not read: /),
      'Asked: shop (h, pid 7), bill (h, pid 7)',
      'Without a journal: mail (h, pid 7); add journal() to their plugins.',
      'Did not answer in time: slow (h, pid 7); raise --timeout.',
      'Gave no answer that can be read: odd (h, pid 7); see their logs.',
      '2 messages are left out: ask for the id of one of them.',
      'Not all instances answered: there may be more.',
    ]);
  });

  it('prints one JSON object per line, without bodies and stacks', async () => {
    const trace = { ...nothing, messages: [message], instances: [instance('shop', 'answered', 'q.dead')] };
    const { out } = await run(trace, { 'q.dead': [letter] }, '--json');
    const kinds = out.map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds).toEqual(['message', 'dead-letter', 'instance']);
    expect(out.join('')).not.toMatch(/\u001b|\u202e|"stack"|"body"|content/);
  });

  it('says that nothing was found and why that may be', async () => {
    const { code, out, err } = await run(nothing, {});
    expect({ code, out }).toEqual({ code: 7, out: [] });
    expect(err).toEqual([
      'Nothing is known of m1.',
      'No instance answered: only applications with the option fleet do (docs/fleet.md).',
    ]);
  });

  it('looks into the named queues only, which must be there, or into none', async () => {
    const trace = { ...nothing, instances: [instance('shop', 'answered', 'q.dead')] };
    const named = await run(trace, { mine: [letter] }, '--queue', 'mine', '--queue', 'yours');
    expect(named).toMatchObject({ code: 0, read: ['mine', 'yours'] });
    expect((await run(trace, { 'q.dead': [letter] }, '--no-dead-letters')).read).toEqual([]);
    const refused = new AccessRefusedError('queue mine', "queue 'mine'", 'no');
    await expect(run(trace, { mine: refused }, '--queue', 'mine')).rejects.toBe(refused);
  });
});

describe('the arguments of `warren trace`', () => {
  it('have defaults', () => {
    expect(parseTrace(['m1'], { RABBITMQ_URL: 'amqp://h' })).toEqual({
      ...{ id: 'm1', url: 'amqp://h', service: undefined, timeout: '2s', queues: undefined },
      ...{ exact: false, bodies: false, json: false },
    });
  });

  it.each([
    [[], 'one message id'],
    [['a', 'b'], 'one message id'],
    [['a', '--timeout', 'soon'], '--timeout must be a duration'],
    [['a', '--queue', 'q', '--no-dead-letters'], 'either'],
    [['a', '--wrong'], '--wrong'],
  ])('%j are wrong', (args, text) => {
    expect(() => parseTrace(args, {})).toThrow(UsageError);
    expect(() => parseTrace(args, {})).toThrow(text);
  });
});
