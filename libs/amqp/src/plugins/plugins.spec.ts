// The extension interface without a broker: who is called when, who is blamed, and what is sent whatever a plugin does.
import { describe, expect, it } from '@jest/globals';
import { ConfigError, PluginError } from '../errors/errors.js';
import { Reject } from '../errors/signals.js';
import { ACK, Delivery, type Verdict } from '../message/delivery.js';
import type { OutgoingMessage } from '../message/message.js';
import { Deadlines, systemClock } from '../runtime/clock.js';
import type { BatchNext, HandlerInfo, Plugin, PublishKind } from './plugin.js';
import type { Leaving } from './leaving-message.js';
import { Plugins } from './plugins.js';

const lines: string[] = [];
const logger = {
  log: (line: string) => void lines.push(line),
  warn: (line: string) => void lines.push(`warn ${line}`),
  error: (line: string) => void lines.push(`error ${line}`),
};

function pluginsOf(...given: unknown[]): Plugins {
  lines.length = 0;
  return new Plugins({
    given,
    clock: systemClock,
    deadlines: new Deadlines(systemClock, 1),
    logger,
    limits: () => ({ maxBytes: 100, maxPropertyBytes: 300 }),
  });
}

const message: OutgoingMessage = {
  exchange: 'events',
  routingKey: 'a.b',
  content: Buffer.from('{}'),
  mandatory: false,
  properties: { messageId: 'm', headers: { kept: 1, gone: 2 }, contentType: 'application/json' },
};

/** Sends through plugins; the messages that were sent. */
async function send(
  plugins: Plugins,
  kind: PublishKind = 'publish',
  outcome: (sent: OutgoingMessage) => Promise<unknown> = () => Promise.resolve(),
  more: Partial<Leaving> = {},
) {
  const sent: OutgoingMessage[] = [];
  const result = plugins.publish({ kind, message, timeout: 5_000, ...more }, async (changed) => {
    sent.push(changed);
    await outcome(changed);
    return { messageId: 'm', routed: true, value: 'reply' };
  });
  return { result: await result.catch((error: unknown) => ({ error })), sent };
}

const order: Plugin[] = ['outer', 'inner'].map((name) => ({
  name,
  publish: (next) => async (given) => {
    lines.push(`${name} in`);
    const result = await next(given.with({ headers: { [name]: lines.length } }));
    lines.push(`${name} out`);
    return result;
  },
}));

describe('plugins around a publish', () => {
  it('are called in their order, see what it comes to, and change what is sent', async () => {
    const { sent, result } = await send(pluginsOf(...order));
    expect(lines).toEqual(['outer in', 'inner in', 'inner out', 'outer out']);
    expect(sent[0].properties.headers).toEqual({ kept: 1, gone: 2, outer: 1, inner: 2 });
    expect(result).toEqual({ messageId: 'm', routed: true, value: 'reply' });
    expect(message.properties.headers).toEqual({ kept: 1, gone: 2 });
  });

  it('may replace body, content type and headers, and remove headers, but not where it goes', async () => {
    const plugin: Plugin = {
      name: 'all',
      publish: (next) => (given) =>
        next(given.with({ content: Buffer.from('x'), contentType: 'text/x', headers: { gone: undefined } })),
    };
    const { sent } = await send(pluginsOf(plugin));
    expect(sent).toEqual([
      {
        ...message,
        content: Buffer.from('x'),
        properties: { ...message.properties, contentType: 'text/x', headers: { kept: 1 } },
      },
    ]);
  });

  it.each<[string, Plugin['publish'], RegExp]>([
    [
      'throws',
      () => () => {
        throw new TypeError('no tenant');
      },
      /'bad' failed in publish: TypeError: no tenant/,
    ],
    ['rejects', () => () => Promise.reject(new Error('x')), /'bad' failed in publish: Error: x/],
    [
      'never calls next',
      () => () => Promise.resolve({ messageId: '', routed: true }),
      /'bad' did not call next/,
    ],
    ['gives next something else', (next) => () => next({} as never), /'bad' failed in publish: TypeError/],
    [
      'makes too large a body',
      (next) => (m) => next(m.with({ content: Buffer.alloc(101) })),
      /maxMessageBytes is 100/,
    ],
    [
      'makes too many headers',
      (next) => (m) => next(m.with({ headers: { a: 'x'.repeat(300) } })),
      /a frame holds 300/,
    ],
    ['makes a header that cannot travel', (next) => (m) => next(m.with({ headers: { a: () => 1 } })), /'a'/],
  ])('one that %s is named, and nothing is sent', async (_what, publish, text) => {
    const { sent, result } = await send(pluginsOf(order[0], { name: 'bad', publish }, order[1]));
    expect(sent).toEqual([]);
    expect((result as { error: Error }).error).toBeInstanceOf(PluginError);
    expect((result as { error: PluginError }).error).toMatchObject({ plugin: 'bad', code: 'WARREN_PLUGIN' });
    expect((result as { error: Error }).error.message).toMatch(text);
  });

  it('one that keeps a message for longer than the publish may take is named, and cannot send it later', async () => {
    let later: () => unknown = () => undefined;
    const plugin: Plugin = {
      name: 'slow',
      publish: (next) => (given) => new Promise(() => (later = () => next(given))),
    };
    const { sent, result } = await send(pluginsOf(plugin), 'publish', undefined, { timeout: 5 });
    expect((result as { error: Error }).error.message).toMatch(
      /'slow' did not call next of publish within 5 ms/,
    );
    expect(later).toThrow(/too late/);
    expect(sent).toEqual([]);
  });

  it('a dead letter that one keeps for too long is sent as it was, once, whatever the plugin does later', async () => {
    let later: () => void = () => undefined;
    const plugin: Plugin = {
      name: 'slow',
      publish: () => () => new Promise((_, reject) => (later = () => reject(new Error('late')))),
    };
    const { sent } = await send(pluginsOf(plugin), 'dead-letter', undefined, { timeout: 5 });
    later();
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toEqual([message]);
    expect(lines).toHaveLength(1);
  });

  it('may return promises of other libraries, and forget to wait for next', async () => {
    const foreign: Plugin = {
      name: 'foreign',
      publish: (next) => (given) => ({ then: (resolve: never) => void next(given).then(resolve) }) as never,
    };
    expect((await send(pluginsOf(foreign))).result).toMatchObject({ routed: true });
    const hasty: Plugin = {
      name: 'hasty',
      publish: (next) => (given) => {
        void next(given).catch(() => undefined);
        return Promise.resolve({ messageId: '', routed: false });
      },
    };
    expect((await send(pluginsOf(hasty))).result).toMatchObject({ messageId: 'm', routed: true });
    const error = new Error('nacked');
    expect((await send(pluginsOf(hasty), 'send', () => Promise.reject(error))).result).toEqual({ error });
  });

  it('the error of the publish itself passes all of them unchanged, also when one swallows it', async () => {
    const error = new Error('nacked');
    const swallows: Plugin = {
      name: 'swallows',
      publish: (next) => (given) => next(given).catch(() => ({ messageId: '', routed: true })),
    };
    for (const plugins of [pluginsOf(...order), pluginsOf(swallows)]) {
      const { result } = await send(plugins, 'publish', () => Promise.reject(error));
      expect(result).toEqual({ error });
    }
  });

  it('one that fails when the message was sent does not make it look unsent', async () => {
    const plugin: Plugin = {
      name: 'late',
      publish: (next) => async (given) => {
        await next(given);
        throw new Error('oh');
      },
    };
    const { result } = await send(pluginsOf(plugin));
    expect(result).toMatchObject({ messageId: 'm', routed: true });
    expect(lines).toEqual([
      expect.stringMatching(/^warn .*'late' failed in publish.*the message was sent before that/),
    ]);
  });

  it('one that calls next twice sends once', async () => {
    const plugin: Plugin = {
      name: 'twice',
      publish: (next) => (given) => next(given).then(() => next(given)),
    };
    const { result, sent } = await send(pluginsOf(plugin));
    expect(sent).toHaveLength(1);
    expect(result).toMatchObject({ routed: true });
    expect(lines[0]).toMatch(/'twice' called next of publish more than once/);
  });

  it.each(['retry', 'dead-letter', 'replay'] as const)(
    'a %s is sent as it was when a plugin fails, and that is in the log',
    async (kind) => {
      const bad: Plugin = { name: 'bad', publish: () => () => Promise.reject(new Error('x')) };
      const { sent, result } = await send(pluginsOf(bad), kind);
      expect(sent).toEqual([message]);
      expect(result).toMatchObject({ routed: true });
      expect(lines).toEqual([expect.stringMatching(/^error .*'bad'.*was sent without plugins/)]);
    },
  );

  it('may replace the reply of a call, and refuse it', async () => {
    const other: Plugin = {
      name: 'other',
      publish: (next) => async (given) => ({ ...(await next(given)), value: 'other' }),
    };
    expect((await send(pluginsOf(other), 'request')).result).toMatchObject({ value: 'other' });
    expect((await send(pluginsOf(other), 'publish')).result).toMatchObject({ value: 'reply' });
    const refuses: Plugin = {
      name: 'refuses',
      publish: (next) => (given) => next(given).then(() => Promise.reject(new Error('forged'))),
    };
    const { result } = await send(pluginsOf(refuses), 'request');
    expect((result as { error: Error }).error.message).toMatch(/'refuses' failed in publish: Error: forged/);
  });

  it('one that is slow over the reply of a call is named, and nobody gets the reply that it has not seen', async () => {
    const passes: Plugin = { name: 'passes', publish: (next) => (given) => next(given) };
    const checks = (never: Promise<void>): Plugin => ({
      name: 'checks',
      publish: (next) => async (given) => {
        const reply = await next(given);
        await never;
        return { ...reply, value: 'checked' };
      },
    });
    const never = new Promise<void>(() => undefined);
    const late = async (): Promise<void> => {
      const end = performance.now() + 15;
      while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
    };
    // The reply comes before the time is over, and after it.
    for (const reply of [undefined, late]) {
      const plugins = pluginsOf(passes, checks(never), { ...passes, name: 'inner' });
      const { result } = await send(plugins, 'request', reply, { timeout: 5 });
      expect((result as { error: Error }).error).toBeInstanceOf(PluginError);
      expect((result as { error: Error }).error.message).toMatch(
        /'checks' did not pass the reply on within 5 ms/,
      );
      // What needs no reply goes on.
      expect((await send(plugins, 'publish', reply, { timeout: 5 })).result).toMatchObject({ routed: true });
    }
    const { result } = await send(pluginsOf(passes, checks(Promise.resolve())), 'request', late, {
      timeout: 5,
    });
    expect(result).toMatchObject({ value: 'checked' });
  });
});

const handler = { id: 'Orders.place', options: { one: { a: 1 } } } as unknown as HandlerInfo;
const delivery = (attempt = 1): Delivery => {
  const given = { content: Buffer.from('1'), exchange: '', routingKey: 'q', properties: {} };
  return Object.assign(new Delivery(given as never, 'q', { settle() {}, warn() {} }), { attempt });
};
const failed = (error: unknown): Verdict => ({ kind: 'dead-letter', reason: 'rejected', error });

describe('plugins around a delivery', () => {
  const run = (plugins: Plugins, one = delivery()) => {
    let runs = 0;
    const around = plugins.aroundDelivery(handler, () => (runs++, ACK), failed);
    return Promise.resolve(around(one)).then((verdict) => ({ verdict, runs }));
  };

  it('get the handler with their own options, and its verdict', async () => {
    const seen: unknown[] = [];
    const plugin = (name: string): Plugin => ({
      name,
      delivery: (next, { id, options }) => {
        seen.push([id, options]);
        return async (given) => {
          seen.push(name);
          const verdict = await next(given);
          seen.push(verdict.kind);
          return verdict;
        };
      },
    });
    expect(await run(pluginsOf(plugin('one'), plugin('two')))).toEqual({ verdict: ACK, runs: 1 });
    expect(seen).toEqual([
      ['Orders.place', undefined],
      ['Orders.place', { a: 1 }],
      ...['one', 'two', 'ack', 'ack'],
    ]);
  });

  it.each<[string, Plugin['delivery'], unknown, number]>([
    [
      'throws before',
      () => () => {
        throw new Error('x');
      },
      /'bad' failed in delivery: Error: x/,
      0,
    ],
    [
      'rejects after',
      (next) => async (given) => {
        await next(given);
        throw new Error('y');
      },
      /Error: y/,
      1,
    ],
    ['returns no verdict', () => () => undefined as never, /returned no verdict/, 0],
    [
      'calls next twice',
      (next) => async (given) => {
        await next(given);
        return next(given);
      },
      /more than once/,
      1,
    ],
  ])('one that %s fails the attempt, and is named', async (_what, around, text, runs) => {
    const outcome = await run(pluginsOf({ name: 'bad', delivery: around }));
    expect(outcome.runs).toBe(runs);
    expect(outcome.verdict).toMatchObject({ kind: 'dead-letter', error: { plugin: 'bad' } });
    expect((outcome.verdict as { error: Error }).error.message).toMatch(text as RegExp);
  });

  it('one that says what shall become of the message is heard, with or without the handler', async () => {
    const rejects: Plugin = {
      name: 'rejects',
      delivery: () => () => {
        throw Reject('no');
      },
    };
    expect((await run(pluginsOf(rejects))).verdict).toMatchObject({ error: { message: 'no' } });
    const skips: Plugin = { name: 'skips', delivery: () => () => ({ kind: 'drop' }) };
    expect(await run(pluginsOf(skips))).toEqual({ verdict: { kind: 'drop' }, runs: 0 });
  });
});

describe('plugins around a batch', () => {
  const run = (plugins: Plugins, list: readonly Delivery[]) => {
    const runs: (readonly Delivery[])[] = [];
    const handle: BatchNext = (given) => (runs.push(given), Promise.resolve(given.map(() => ACK)));
    return plugins
      .aroundBatch(
        handler,
        handle,
        failed,
      )(list)
      .then((verdicts) => ({ verdicts, runs }));
  };
  const list = [delivery(1), delivery(2), delivery(3)];

  it('get the whole list, or each message when they know nothing of batches', async () => {
    const seen: unknown[] = [];
    const batches: Plugin = {
      name: 'batches',
      batch: (next) => (given) => (seen.push(given.length), next(given)),
    };
    const each: Plugin = {
      name: 'each',
      delivery: (next) => (given) => (seen.push(given.attempt), next(given)),
    };
    const { verdicts, runs } = await run(pluginsOf(batches, each), list);
    expect(seen).toEqual([3, 1, 2, 3]);
    expect(runs).toEqual([list]);
    expect(verdicts).toEqual([ACK, ACK, ACK]);
  });

  it('one that ends some messages before the handler leaves it the others', async () => {
    const skips: Plugin = {
      name: 'skips',
      delivery: (next) => (given) => (given.attempt === 2 ? { kind: 'drop' } : next(given)),
    };
    const { verdicts, runs } = await run(pluginsOf(skips), list);
    expect(runs).toEqual([[list[0], list[2]]]);
    expect(verdicts).toEqual([ACK, { kind: 'drop' }, ACK]);
    const all: Plugin = { name: 'all', delivery: () => () => ({ kind: 'drop' }) };
    expect((await run(pluginsOf(all), list)).runs).toEqual([]);
  });

  it.each<[string, Plugin]>([
    ['throws', { name: 'bad', batch: () => () => Promise.reject(new Error('x')) }],
    ['returns too few verdicts', { name: 'bad', batch: () => () => Promise.resolve([ACK]) }],
    ['throws for each message', { name: 'bad', delivery: () => () => Promise.reject(new Error('x')) }],
  ])('one that %s fails all of it, and is named', async (_what, plugin) => {
    const { verdicts } = await run(pluginsOf(plugin), list);
    expect(verdicts).toHaveLength(3);
    for (const verdict of verdicts) expect(verdict).toMatchObject({ error: { plugin: 'bad' } });
  });
});

describe('plugins of a broker object', () => {
  it.each([
    [[undefined], /plugins\[0\] is no plugin/],
    [[{ publish: () => 1 }], /plugins\[0\] is no plugin/],
    [[{ name: 'a', codecs: [undefined] }], /plugins\[0\] \('a'\): 'codecs\[0\]' must be a codec/],
    [[{ name: 'a', publish: 1 }], /'a'\): publish must be a function/],
    [[{ name: 'a' }, { name: 'a' }], /two plugins are called 'a'/],
  ])('are checked: %j', (given, text) => {
    expect(() => pluginsOf(...given).list).toThrow(ConfigError);
    expect(() => pluginsOf(...given).list).toThrow(text);
  });

  it('start in order, and stop in the other one, whatever one of them does', async () => {
    const told: string[] = [];
    const plugin = (name: string, stop: () => void | Promise<void> = () => undefined): Plugin => ({
      name,
      start: () => void told.push(`start ${name}`),
      stop: () => (told.push(`stop ${name}`), stop()),
    });
    const hangs = (): Promise<void> => new Promise(() => undefined);
    const plugins = pluginsOf(
      plugin('a'),
      plugin('b', hangs),
      plugin('c', () => Promise.reject(new Error('x'))),
    );
    await plugins.start({} as never);
    await plugins.stop(new Promise((resolve) => setImmediate(resolve)));
    expect(told).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
    expect(lines).toEqual([
      expect.stringMatching(/'c' failed in stop: Error: x/),
      expect.stringMatching(/'b' failed in stop: it took too long/),
    ]);
  });

  it('one that cannot start is named, and those before it are stopped later', async () => {
    const told: string[] = [];
    const plugins = pluginsOf(
      { name: 'a', stop: () => void told.push('stop a') },
      { name: 'b', start: () => Promise.reject(new Error('no port')) },
    );
    await expect(plugins.start({} as never)).rejects.toThrow(/'b' could not start: Error: no port/);
    await plugins.stop(Promise.resolve());
    expect(told).toEqual(['stop a']);
  });

  it('show their status, also when that fails', () => {
    const bad = (): never => {
      throw new Error('x');
    };
    const plugins = pluginsOf(
      { name: 'a', status: () => ({ seen: 1 }) },
      { name: 'b', status: bad },
      { name: 'c' },
    );
    expect(plugins.status()).toEqual({ a: { seen: 1 }, b: { error: 'Error: x' }, c: {} });
  });
});
