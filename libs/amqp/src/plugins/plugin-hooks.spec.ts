// What plugins are asked beside messages: for log lines, for channels, and whether one of them traces.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Delivery } from '../message/delivery.js';
import { Deadlines, systemClock } from '../runtime/clock.js';
import { Plugins } from './plugins.js';
import type { Plugin } from './plugin.js';

const lines: string[] = [];
const write = (line: string): void => void lines.push(line);

function pluginsOf(...given: Plugin[]): Plugins {
  lines.length = 0;
  return new Plugins({
    given,
    clock: systemClock,
    deadlines: new Deadlines(systemClock, 1),
    logger: { log: write, warn: write, error: write },
    limits: () => ({ maxBytes: 100, maxPropertyBytes: 300 }),
  });
}

const message = {
  content: Buffer.from('{}'),
  exchange: '',
  routingKey: 'orders',
  redelivered: false,
  deliveryTag: 1,
  properties: {},
};
const delivery = new Delivery(message, 'orders', { settle() {}, warn() {} });

const fails = (): never => {
  throw new Error('x');
};

describe('plugins beside messages', () => {
  it('say something in the log lines of failures; one that fails says nothing and is named', () => {
    const plugins = pluginsOf(
      { name: 'a', logSuffix: ({ queue }) => `of ${queue}` },
      { name: 'b', logSuffix: () => undefined },
      { name: 'c', logSuffix: fails },
      { name: 'd', logSuffix: () => 'line\nbreak' },
    );
    expect(plugins.logSuffix(delivery)).toBe(' [of orders, line\\x0abreak]');
    expect(lines).toEqual([expect.stringMatching(/'c' failed in logSuffix: Error: x/)]);
    expect(pluginsOf().logSuffix(delivery)).toBe('');
    expect(pluginsOf({ name: 'a' }).logSuffix(delivery)).toBe('');
  });

  it('see channels; one that fails keeps nobody else from it', () => {
    const seen: object[] = [];
    const channel = {};
    pluginsOf(
      { name: 'a', channel: fails },
      { name: 'b', channel: (each) => void seen.push(each) },
    ).onChannel(channel);
    expect(seen).toEqual([channel]);
    expect(lines).toEqual([expect.stringMatching(/'a' failed in channel: Error: x/)]);
  });
});

describe('an application that set up OpenTelemetry', () => {
  const key = Symbol.for('opentelemetry.js.api.1');
  const globals = globalThis as Record<symbol, unknown>;
  const host = { logger: { log: write, warn: write, error: write } } as never;

  afterEach(() => {
    delete globals[key];
  });

  it('is told once that messages are not traced', async () => {
    globals[key] = { version: '1.9.0', trace: {} };
    await pluginsOf().start(host);
    const [line] = lines;
    await pluginsOf({ name: 'other' }).start(host);
    expect(line).toMatch(/add openTelemetry\(\) of @warren\/opentelemetry to the plugins/);
    expect(lines).toEqual([]);
  });

  it.each<[string, object | undefined, Plugin[]]>([
    ['the plugin is there', { trace: {} }, [{ name: 'opentelemetry' }]],
    ['only contexts are set up', { context: {} }, []],
    ['nothing is set up', undefined, []],
  ])('is told nothing when %s', async (_when, api, given) => {
    globals[key] = api;
    await pluginsOf(...given).start(host);
    expect(lines).toEqual([]);
  });
});
