// Producer and consumer by hand, as the README says it: every pattern, what a person reads, and what a signal does to a
// handler that is running. The demo plays every pattern with a process for each; here the applications run in this one,
// and have a process of their own where it is about processes.
import { describe, expect, it } from '@jest/globals';
import { onEachBroker, onEmbedded } from '../support/brokers.js';
import { consumerHere, produceHere } from './demo-here.js';
import { consumer, lines, start, withApplications } from './demo-processes.js';

const patterns: readonly {
  readonly pattern: string;
  readonly listen: readonly string[];
  /** One producer after the other; the last of them sends what the consumer gets last. */
  readonly send: readonly (readonly string[])[];
  readonly got: readonly string[];
}[] = [
  { pattern: 'simple', listen: [], send: [['Hello World!']], got: ['Hello World!'] },
  { pattern: 'work', listen: ['--prefetch', '1', '--dot', '1'], send: [['a.', 'b..']], got: ['a.', 'b..'] },
  { pattern: 'fanout', listen: [], send: [['to everybody']], got: ['to everybody'] },
  {
    pattern: 'direct',
    listen: ['info', 'error'],
    send: [
      ['warning', 'slow'],
      ['error', 'disk full'],
    ],
    got: ['disk full'],
  },
  {
    pattern: 'topic',
    listen: ['*.info', '*.mysql.error'],
    send: [
      ['mysql.error', 'too short'],
      ['test.mysql.error', 'down'],
    ],
    got: ['down'],
  },
  {
    pattern: 'headers',
    listen: ['--all', 'format=pdf', 'type=report'],
    send: [
      ['format=pdf', 'type=log', 'no'],
      ['format=pdf', 'type=report', 'Q3'],
    ],
    got: ['Q3'],
  },
  {
    pattern: 'headers',
    listen: ['--any', 'format=pdf', 'type=report'],
    send: [
      ['format=zip', 'no'],
      ['format=zip', 'type=report', 'a=b'],
    ],
    got: ['a=b'],
  },
];

withApplications();

onEachBroker('demo applications', (broker) => {
  it.each(patterns)('$pattern $listen gets $got and nothing else', async ({ pattern, listen, send, got }) => {
    const listener = await consumerHere([pattern, ...listen], broker.url);
    for (const words of send) {
      const events = await produceHere([pattern, ...words], broker.url);
      expect(events.filter(({ event }) => event === 'sent').length).toBeGreaterThan(0);
    }
    expect(await listener.got(got.length)).toEqual(got);
  });

  it('rpc answers with the value of the handler, and with what it threw', async () => {
    const server = await consumerHere(['rpc'], broker.url);
    expect(await produceHere(['rpc', '30', '0'], broker.url)).toMatchObject([
      { event: 'asking', text: 'fib(30)' },
      { event: 'answered', answer: 832040 },
      { event: 'asking', text: 'fib(0)' },
      { event: 'answered', answer: 0 },
    ]);
    await expect(produceHere(['rpc', '--', '-1'], broker.url)).rejects.toMatchObject({
      name: 'RpcRemoteError',
      message: expect.stringContaining('a whole number from 0 to 78'),
    });
    expect(await server.got(3)).toEqual(['30', '0', '-1']);
  });

  it('to an exchange without listeners the producer says that the message is gone', async () => {
    expect(await produceHere(['direct', 'debug', 'x', '--name', 'quiet'], broker.url)).toMatchObject([
      { event: 'sent', routed: false },
    ]);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s lets a running handler finish, then ends with code 0',
    async (signal) => {
      const name = `ended by ${signal}`;
      const worker = await consumer(['work', '--dot', '700', '--name', name], broker.url);
      await produceHere(['work', 'task.', 'waits.', '--name', name], broker.url);
      await worker.wait('got');
      worker.signal(signal);
      expect(await worker.ended).toEqual({ code: 0, signal: null });
      expect(worker.all('done')).toEqual([{ event: 'done', text: 'task.' }]);
      // What had not been started went back to the queue.
      const channel = await (await broker.connect()).createChannel();
      expect((await channel.checkQueue(name)).messageCount).toBe(1);
    },
  );

  it('a consumer that is killed leaves its task to another one, which sees that it is not the first', async () => {
    const victim = await consumer(['work', '--dot', '99999'], broker.url);
    await produceHere(['work', 'task.'], broker.url);
    await victim.wait('got');
    await victim.kill();
    const heir = await consumerHere(['work', '--dot', '1'], broker.url);
    expect(await heir.got(1)).toEqual(['task.']);
    expect(heir.of('got')).toEqual([{ event: 'got', text: 'task.', attempt: 1, redelivered: true }]);
  });
});

// The errors themselves are the library's, and tested on each broker elsewhere.
onEmbedded('what a person reads', (broker) => {
  it.each([
    ['a message for a queue that nobody declared', ['simple', 'x'], /^queue 'hello' does not exist.*\n$/],
    ['a call that nobody answers', ['rpc', '30'], /^no handler listens for queue 'rpc_queue'.*\n$/],
    [
      'a message with --mandatory to an exchange without listeners',
      ['direct', 'debug', 'x', '--mandatory'],
      /^no queue is bound to exchange 'direct_logs' for 'debug'.*\n$/,
    ],
  ])('%s is an error of one line, at once', async (_what, words, line) => {
    const sender = start('producer', words, broker.url);
    expect(await sender.ended).toEqual({ code: 1, signal: null });
    expect(sender.complaints).toMatch(line);
  });

  it('an error of a handler ends the caller with code 1, and is an event with --json', async () => {
    await consumerHere(['rpc'], broker.url);
    const caller = start('producer', ['rpc', '--json', '--', '-1'], broker.url);
    expect(await caller.ended).toEqual({ code: 1, signal: null });
    expect(caller.all('failed')).toMatchObject([{ name: 'RpcRemoteError' }]);
  });

  it('without --json both speak to a person', async () => {
    const listener = start('consumer', ['direct', 'error', '--name', 'spoken'], broker.url);
    await listener.wait('line');
    const sender = start('producer', ['direct', 'error', 'disk full', '--name', 'spoken'], broker.url);
    await sender.ended;
    await listener.wait('line', 2);
    expect(lines(sender)).toEqual([' [x] Sent "disk full" to spoken as error']);
    expect(lines(listener)).toEqual([
      ' [*] Waiting for messages from exchange spoken, error. To exit press Ctrl+C',
      ' [x] Received error "disk full"',
    ]);
    expect([sender.complaints, listener.complaints]).toEqual(['', '']);
  });
});

describe('demo applications without a broker', () => {
  it('say so in one line, without a stack and a password', async () => {
    // Port 1 is reserved and nobody listens there. Both try for ten seconds.
    const url = ['--url', 'amqp://user:hidden@127.0.0.1:1'];
    const both = [start('consumer', ['simple', ...url]), start('producer', ['simple', 'x', ...url])];
    for (const child of both) {
      expect(await child.ended).toEqual({ code: 1, signal: null });
      expect(child.complaints).toMatch(/^.*127\.0\.0\.1:1.*\n$/);
      expect(child.complaints).not.toMatch(/hidden|\bat .*:\d+:\d+/);
    }
  });
});
