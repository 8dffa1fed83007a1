// A kept reply is handed out for the request that it was made for, and for no other one with the same message id.
import { describe, expect, it } from '@jest/globals';
import { SILENT } from '../../runtime/logger.js';
import type { ReplyStore, StoredReply } from '../../options/options.js';
import { settings } from '../../options/settings.js';
import { ACK, Delivery } from '../../message/delivery.js';
import { idempotency, type Outcome } from './idempotency.js';

interface Facts {
  readonly queue?: string;
  readonly userId?: string;
  readonly body?: string;
}

function request({ queue = 'q', userId, body = '1' }: Facts = {}): Delivery {
  const properties = { messageId: 'm', ...(userId === undefined ? {} : { userId }) };
  const message = { exchange: '', routingKey: queue, content: Buffer.from(body), properties };
  return new Delivery(message as never, queue, { settle: () => undefined, warn: () => undefined });
}

function call(slow: Partial<ReplyStore> = {}) {
  const kept = new Map<string, StoredReply>();
  const store = {
    get: (key: string) => kept.get(key),
    set: (key: string, reply: StoredReply) => void kept.set(key, reply),
    ...slow,
  };
  const lines: string[] = [];
  /** Ends the time that a store has, which is 2 s. */
  let late = (): void => undefined;
  const after = (ms: number, end: () => void): (() => void) => {
    expect(ms).toBe(2_000);
    late = end;
    return () => (late = () => undefined);
  };
  const context = {
    ...{
      plan: { id: 'h', codec: undefined },
      logger: { ...SILENT, error: (line: string) => lines.push(line) },
      settings: settings({ logger: SILENT }),
    },
    source: {
      ...{ service: 's', name: 'default' },
      connection: { vhost: '/', server: { product: '', version: [0, 0] } },
    },
    clock: { wall: () => 0, monotonic: () => 0, after },
  };
  const repeated = idempotency(context as never, { ttl: 1_000, store });
  let runs = 0;
  const run =
    (isError = false) =>
    (): Promise<Outcome> => {
      const content = Buffer.from(`answer ${++runs}`);
      return Promise.resolve({ verdict: ACK, reply: { content, contentType: 'text/plain', isError } });
    };
  const ask = async (facts: Facts = {}, isError = false): Promise<string | undefined> => {
    const { reply } = await repeated(request(facts), run(isError));
    return reply?.isError ? 'error' : reply?.content.toString();
  };
  return { ask, repeated, kept, lines, late: () => late() };
}

describe('a request that comes again', () => {
  it('gets the reply of the first', async () => {
    const { ask } = call();
    expect([await ask(), await ask()]).toEqual(['answer 1', 'answer 1']);
  });

  it.each<[string, Facts]>([
    ['queue', { queue: 'other' }],
    ['user', { userId: 'other' }],
  ])('from another %s is another one', async (_, facts) => {
    const { ask } = call();
    expect([await ask(), await ask(facts), await ask(facts)]).toEqual(['answer 1', 'answer 2', 'answer 2']);
  });

  it('with another body is refused, whether the first is answered or still runs', async () => {
    const { ask } = call();
    expect([await ask(), await ask({ body: '2' })]).toEqual(['answer 1', 'error']);
    const { repeated } = call();
    let end = (_outcome: Outcome): void => undefined;
    const running = new Promise<Outcome>((resolve) => (end = resolve));
    const first = repeated(request(), () => running);
    const other = repeated(request({ body: '2' }), () => Promise.reject(new Error('it ran')));
    // Whoever waits for the first one has its outcome.
    const late = { verdict: ACK, reply: undefined };
    await new Promise((resolve) => setImmediate(resolve));
    end(late);
    expect(await other).toMatchObject({ verdict: { kind: 'dead-letter' }, reply: { isError: true } });
    expect(await first).toEqual(late);
  });

  it.each<[string, Partial<ReplyStore>]>([
    ['be read', { get: () => new Promise(() => undefined) }],
    ['keep a reply', { set: () => new Promise(() => undefined) }],
  ])(
    'runs and is answered when the store does not answer in time, so it could not %s',
    async (what, slow) => {
      const { ask, lines, late } = call(slow);
      const asked = ask();
      await new Promise((resolve) => setImmediate(resolve));
      late();
      expect(await asked).toBe('answer 1');
      expect(lines).toEqual([expect.stringMatching(`could not ${what}: .*did not answer within 2000 ms`)]);
    },
  );

  it('runs once while the first runs, and anew after an error', async () => {
    const { ask, kept } = call();
    expect(await Promise.all([ask(), ask()])).toEqual(['answer 1', 'answer 1']);
    const failing = call();
    expect([await failing.ask({}, true), failing.kept.size, await failing.ask()]).toEqual([
      ...['error', 0, 'answer 2'],
    ]);
    expect(kept.size).toBe(1);
  });
});
