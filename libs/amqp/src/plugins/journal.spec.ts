// What a journal tells of messages, and that it has bounds, without a broker.
import { describe, expect, it } from '@jest/globals';
import { PublishNackedError } from '../errors/publish-errors.js';
import type { CallScope } from '../message/delivery.js';
import { ACK, Delivery, type Verdict } from '../message/delivery.js';
import { HEADER } from '../message/headers.js';
import type { MessageProperties } from '../message/message.js';
import { systemClock } from '../runtime/clock.js';
import type { JourneyAnswer } from './journey-answer.js';
import { journal, type Journal, type JournalOptions } from './journal.js';
import type { HandlerInfo, PluginHost, PublishContext, PublishKind, PublishResult } from './plugin.js';

const info = { id: 'Orders.place', service: 'shop', queue: 'orders' } as HandlerInfo;

/** A journal whose clock stands still until `pass`; `settled` is the event, `ask` the question of another process. */
function started(options: JournalOptions = {}) {
  let now = 0;
  const clock = { ...systemClock, wall: () => Date.UTC(2026, 0, 1) + now, monotonic: () => now };
  const made = journal(options);
  let hear: (event: unknown) => void = () => undefined;
  let answer: (question: unknown) => unknown = () => undefined;
  const host = {
    clock,
    on: (listener: typeof hear) => ((hear = listener), () => undefined),
    fleet: { answer: (_kind: string, handler: typeof answer) => ((answer = handler), () => undefined) },
  };
  void made.start?.(host as unknown as PluginHost);
  return {
    made,
    pass: (ms: number) => void (now += ms),
    settled: (delivery: Delivery) => hear({ kind: 'settled', delivery }),
    ask: (question: unknown) => answer(question) as JourneyAnswer,
  };
}

interface Sent extends MessageProperties {
  readonly kind?: PublishKind;
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly content?: string;
  readonly delivery?: Delivery;
  readonly part?: number;
  readonly idempotent?: boolean;
}

async function send(
  made: Journal,
  { kind = 'publish', exchange = 'events', routingKey = 'order.made', content = '{}', ...more }: Sent,
  outcome: () => Promise<PublishResult> = () => Promise.resolve({ messageId: 'm', routed: true }),
): Promise<void> {
  const { delivery, part, idempotent = false, ...properties } = more;
  const message = { exchange, routingKey, content: Buffer.from(content), properties };
  const context = { kind, ...message, delivery, part, idempotent };
  await made
    .publish?.(outcome)(context as PublishContext)
    .catch(() => undefined);
}

function delivered(properties: MessageProperties, content = '{}'): Delivery {
  const message = { content: Buffer.from(content), exchange: 'events', routingKey: 'order.made' };
  return new Delivery({ ...message, redelivered: false, deliveryTag: 1, properties }, 'orders', {
    settle: () => undefined,
    warn: () => undefined,
  });
}

async function handle(made: Journal, delivery: Delivery, verdict: Verdict = ACK): Promise<void> {
  await made.delivery?.(() => verdict, info)(delivery);
}

const caused = (by: string, chain: string): MessageProperties => ({
  correlationId: chain,
  headers: { [HEADER.causation]: by },
});

describe('a journal', () => {
  it('tells who published a message, what each attempt came to, and where it ended', async () => {
    const { made, pass } = started();
    await send(made, { messageId: 'a', appId: 'shop' }, () => {
      pass(3);
      return Promise.resolve({ messageId: 'a', routed: true, resent: 1 });
    });
    const delivery = delivered({ messageId: 'a', appId: 'shop' });
    await handle(made, delivery, { kind: 'retry', after: 20, attempt: 2, error: new TypeError('no luck') });
    pass(20);
    await handle(made, delivery, { kind: 'dead-letter', reason: 'attempts-exhausted', error: 'text' });
    const headers = { [HEADER.reason]: 'attempts-exhausted' };
    await send(made, { kind: 'dead-letter', exchange: '', routingKey: 'orders.dead', delivery, headers });

    const [message, ...others] = made.of('a');
    expect(others).toEqual([]);
    expect(JSON.parse(JSON.stringify(message))).toEqual({
      id: 'a',
      correlationId: 'a',
      depth: 0,
      by: 'shop',
      exchange: 'events',
      routingKey: 'order.made',
      steps: [
        {
          what: 'sent',
          kind: 'publish',
          at: '2026-01-01T00:00:00.000Z',
          exchange: 'events',
          routingKey: 'order.made',
          bytes: 2,
          took: 3,
          routed: true,
          resent: 1,
        },
        expect.objectContaining({ attempt: 1, verdict: 'retry', wait: 20, handler: 'Orders.place' }),
        expect.objectContaining({ verdict: 'dead-letter', error: { name: 'string', message: 'text' } }),
        expect.objectContaining({ kind: 'dead-letter', reason: 'attempts-exhausted', routed: true }),
      ],
    });
    expect(made.print('a')).toBe(
      [
        "message a to events with key 'order.made', by shop",
        '        +0 ms  published, 2 bytes, sent again 1 times, confirmed after 3 ms',
        '        +3 ms  attempt 1 of Orders.place in shop (queue orders), retry in 20 ms after 0 ms: TypeError: no luck',
        '       +23 ms  attempt 1 of Orders.place in shop (queue orders), dead-letter (attempts-exhausted) after 0 ms: string: text',
        '       +23 ms  dead letter to queue orders.dead, 2 bytes, attempts-exhausted, confirmed after 0 ms',
      ].join('\n'),
    );
  });

  it('tells what has not ended yet, what no queue got and what could not be sent', async () => {
    const { made } = started();
    let end: (verdict: Verdict) => void = () => undefined;
    void made.delivery?.(
      () => new Promise((resolve) => (end = resolve)),
      info,
    )(delivered({ messageId: 'a' }));
    expect(made.print('a')).toContain('attempt 1 of Orders.place in shop (queue orders), runs');
    end(ACK);
    await send(made, { messageId: 'b' }, () => Promise.resolve({ messageId: 'b', routed: false }));
    expect(made.print('b')).toContain('confirmed, but no queue got it');
    await send(made, { messageId: 'c' }, () =>
      Promise.reject(new PublishNackedError('events', 'order.made', 'c')),
    );
    expect(made.print('c')).toContain('failed after 0 ms: PublishNackedError: ');
  });

  it('finds by message id or correlation id all that a message caused, below it', async () => {
    const { made } = started();
    await send(made, { messageId: 'a', correlationId: 'order-1' });
    await send(made, { messageId: 'b', ...caused('a', 'order-1') });
    await send(made, { messageId: 'other' });
    await send(made, { messageId: 'c', ...caused('b', 'order-1') });
    await send(made, { messageId: 'd', ...caused('a', 'order-1') });
    const shape = (id: string): string[] =>
      made.of(id).map((one) => `${one.depth} ${one.id} ${one.causedBy}`);
    expect(shape('a')).toEqual(['0 a undefined', '1 b a', '2 c b', '1 d a']);
    expect(shape('order-1')).toEqual(shape('a'));
    expect(shape('b')).toEqual(['0 b a', '1 c b']);
    expect(shape('nobody')).toEqual([]);
    expect(made.print('nobody\u001b')).toBe('nothing is known of nobody\\x1b');
    expect(
      made
        .print('a')
        .split('\n')
        .filter((line) => /message/.test(line)),
    ).toEqual([
      expect.stringMatching(/^message a .*correlation order-1$/),
      expect.stringMatching(/^└─ message b/),
      expect.stringMatching(/^ {3}└─ message c/),
      expect.stringMatching(/^└─ message d/),
    ]);
  });

  it('says that the first message caused one that carries only the correlation id', async () => {
    const { made } = started();
    await send(made, { messageId: 'a' });
    await send(made, { messageId: 'b', correlationId: 'a' });
    expect(made.of('a').map(({ id, causedBy }) => [id, causedBy])).toEqual([
      ['a', undefined],
      ['b', 'a'],
    ]);
  });

  it.each<PublishKind>(['request', 'stream', 'gather'])(
    'of a %s does not tell the correlation id, which is the secret of its reply',
    async (kind) => {
      const { made, ask } = started();
      await send(made, { kind, messageId: 'a', correlationId: 'secret' });
      const headers = { [HEADER.causation]: 'a', [HEADER.correlation]: 'a' };
      await send(made, { kind, messageId: 'b', correlationId: 'secret', headers });
      const told = [made.of('a'), made.print('a'), ask({ ids: ['a'] })];
      expect(JSON.stringify(told)).not.toContain('secret');
      expect(made.of('a').map(({ id, correlationId }) => [id, correlationId])).toEqual([
        ['a', 'a'],
        ['b', 'a'],
      ]);
      expect(made.of('secret')).toEqual([]);
    },
  );

  it('is not led round in circles by ids, nor too deep', async () => {
    const { made } = started({ messages: 20_000 });
    await send(made, { messageId: 'a', ...caused('b', 'x') });
    await send(made, { messageId: 'b', ...caused('a', 'x') });
    expect(made.of('x')).toHaveLength(2);
    for (let n = 0; n < 10_000; n++) await send(made, { messageId: `m${n}`, ...caused(`m${n - 1}`, 'long') });
    expect(made.of('long')).toHaveLength(10_000);

    expect(made.print('long').split('\n')).toHaveLength(20_000);
  });

  it('shows nothing of a message that a terminal would obey', async () => {
    const { made } = started({ bodies: true });
    const evil = 'x\u001b[2J\n\u202e';
    const message = { messageId: evil, appId: evil, exchange: evil, routingKey: evil, content: evil };
    await send(made, message, () => Promise.reject(new Error(evil)));
    await handle(made, delivered({ messageId: evil }), {
      kind: 'dead-letter',
      reason: 'rejected',
      error: evil,
    });
    expect(made.print(evil)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(made.print(evil).split('\n')).toHaveLength(4);
  });
});

describe('a journal of calls', () => {
  it('has the items of a streamed reply in one step, and no address of a caller', async () => {
    const { made } = started();
    const request = { messageId: 'a', replyTo: 'amq.gen-secret', correlationId: 'secret' };
    await send(made, { kind: 'stream', routingKey: 'prices', ...request });
    const delivery = delivered(request);
    for (const part of [1, 2, 3]) {
      await send(made, { kind: 'reply', exchange: '', routingKey: 'amq.gen-secret', delivery, part });
    }
    expect(made.of('a')[0].steps).toEqual([
      expect.objectContaining({ kind: 'stream' }),
      expect.objectContaining({ kind: 'reply', items: 3, bytes: 6 }),
    ]);
    expect(made.print('a')).toContain('reply, 6 bytes, 3 items, confirmed');
    expect(JSON.stringify(made.of('a')) + made.print('a')).not.toContain('secret');
  });

  it('does not tell the id of an idempotent call: it finds the stored reply', async () => {
    const { made } = started();
    const delivery = delivered({ messageId: 'secret', replyTo: 'r' });
    delivery.call = { idempotent: true } as CallScope;
    await handle(made, delivery);
    expect(made.of('secret')).toHaveLength(1);
    expect(JSON.stringify(made.of('secret')) + made.print('secret')).not.toContain('secret');
  });
});

describe('the bounds of a journal', () => {
  it('are 1000 messages: the one that nothing happened to for longest is forgotten', async () => {
    const { made } = started();
    for (let n = 0; n < 1_000; n++) await send(made, { messageId: `m${n}` });
    await handle(made, delivered({ messageId: 'm0' }));
    await send(made, { messageId: 'new' });
    expect(made.status?.()).toMatchObject({ messages: 1_000 });
    expect([made.of('m0').length, made.of('m1').length, made.of('m2').length]).toEqual([1, 0, 1]);
  });

  it('are bytes as well, of which each step and what is learnt later count', async () => {
    const { made } = started({ bytes: 20_000 });
    for (let n = 0; n < 200; n++) {
      const error = new Error('x'.repeat(5_000));
      await handle(made, delivered({ messageId: `m${n}` }), {
        kind: 'dead-letter',
        reason: 'rejected',
        error,
      });
    }
    const { messages, bytes } = made.status?.() as { messages: number; bytes: number };
    expect(bytes).toBeLessThanOrEqual(20_000);
    expect(messages).toBeGreaterThan(2);
    expect(messages).toBeLessThan(10);
    expect(made.of('m199')[0].steps).toMatchObject([{ error: { message: 'x'.repeat(1_000) } }]);
  });

  it('come back to nothing when a message larger than all of it has come', async () => {
    const { made } = started({ bytes: 100 });
    await send(made, { messageId: 'a' });
    await handle(made, delivered({ messageId: 'a' }));
    expect(made.status?.()).toEqual({ messages: 0, bytes: 0 });
  });

  it('are 100 steps of a message: the first ten and the last ones', async () => {
    const { made } = started();
    for (let n = 0; n < 150; n++) await handle(made, delivered({ messageId: 'a' }));
    expect(made.of('a')[0]).toMatchObject({ leftOut: 50 });
    expect(made.of('a')[0].steps).toHaveLength(100);
    expect(made.print('a').split('\n')[11]).toBe('   50 steps are left out');
  });

  it('keep bodies only when asked to, and only their beginning', async () => {
    const content = 'a'.repeat(2_000);
    const without = started().made;
    await send(without, { messageId: 'a', content });
    expect(without.of('a')[0]).not.toHaveProperty('body');
    const { made } = started({ bodies: true, bodyBytes: 10 });
    await send(made, { messageId: 'a', content });
    expect(made.of('a')[0].body).toBe('aaaaaaaaaa');
  });

  it.each([{ messages: 0 }, { bytes: -1 }, { bodies: true, bodyBytes: 1.5 }])('cannot be %j', (options) => {
    expect(() => journal(options)).toThrow(/journal: \w+ must be a positive integer/);
  });
});

it('a journal has what it tells of messages without an id under numbers, and of batches under each message', async () => {
  const { made } = started();
  await made.batch?.(
    () => Promise.resolve([ACK, { kind: 'drop' }]),
    info,
  )([delivered({ correlationId: 'x' }), delivered({ messageId: 'b', correlationId: 'x' })]);
  expect(made.of('x').map(({ id, steps }) => [id, 'verdict' in steps[0] && steps[0].verdict])).toEqual([
    ['(no id 1)', 'ack'],
    ['b', 'drop'],
  ]);
});

describe('a journal that learns something later', () => {
  it('completes the step of a message that its handler settles after it returned', async () => {
    const { made, pass, settled } = started();
    const delivery = delivered({ messageId: 'a' });
    await handle(made, delivery, { kind: 'open' });
    expect(made.of('a')[0].steps).toMatchObject([{ verdict: 'open' }]);
    pass(50);
    delivery.decided = { kind: 'dead-letter', reason: 'rejected', error: new Error('late') };
    settled(delivery);
    expect(made.of('a')[0].steps).toMatchObject([
      { verdict: 'dead-letter', reason: 'rejected', took: 50, error: { message: 'late' } },
    ]);
  });

  it('does not tell the id of a call that its caller made as idempotent', async () => {
    const { made } = started();
    await send(made, { kind: 'request', messageId: 'secret', replyTo: 'r', idempotent: true });
    expect(made.of('secret')).toHaveLength(1);
    expect(JSON.stringify(made.of('secret')) + made.print('secret')).not.toContain('secret');
  });
});

describe('a journal that another process asks', () => {
  it('tells what it knows, and bodies only when it keeps them and is asked for them', async () => {
    const { made, ask } = started({ bodies: true });
    await send(made, { messageId: 'a', content: 'hello' });
    await send(made, { messageId: 'b', ...caused('a', 'a'), content: 'hello' });
    const { messages } = ask({ ids: ['a'] });
    expect(messages.map(({ id, causeKey }) => [id, causeKey])).toEqual([
      ['a', undefined],
      ['b', messages[0].key],
    ]);
    expect(JSON.stringify(messages)).not.toContain('hello');
    expect(ask({ ids: ['a'], bodies: true }).messages[0].body).toBe('hello');
    // What a message caused is known by its id, even where that message never was.
    const elsewhere = started();
    await send(elsewhere.made, { messageId: 'c', ...caused('b', 'a') });
    expect(elsewhere.ask({ ids: ['b'] }).messages.map(({ id }) => id)).toEqual(['c']);
  });

  it('tells a digest in place of the id of an idempotent call, the same as every other journal', async () => {
    const [one, other] = [started(), started()];
    await send(one.made, { kind: 'request', messageId: 'secret', replyTo: 'r', idempotent: true });
    await send(other.made, { kind: 'request', messageId: 'secret', replyTo: 'r' });
    const [hidden] = one.ask({ ids: ['secret'] }).messages;
    expect(JSON.stringify(hidden)).not.toContain('secret');
    expect(hidden.key).toBe(other.ask({ ids: ['secret'] }).messages[0].key);
  });

  it('has a limit, and answers nothing to what is no question', async () => {
    const { made, ask } = started();
    const error = new Error('x'.repeat(1_000));
    for (let n = 0; n < 400; n++) {
      await send(made, { messageId: `m${n}`, correlationId: 'all' }, () => Promise.reject(error));
    }
    const answer = ask({ ids: ['all'] });
    expect(answer.messages.length + answer.leftOut).toBe(400);
    expect(answer.leftOut).toBeGreaterThan(0);
    expect(JSON.stringify(answer).length).toBeLessThan(210_000);
    for (const wrong of [undefined, null, 7, {}, { ids: 'all' }, { ids: [null, {}, ''] }])
      expect(ask(wrong).messages).toEqual([]);
  });
});
