// Whoever listens, and however badly: the broker object goes on, and the log says so once.
import { afterEach, describe, expect, it } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { BrokerEvent } from './events.js';
import { BROKER_EVENT_KINDS, type DiagnosticsMessage, Events } from './emitter.js';

const EVENT: BrokerEvent = { kind: 'unblocked', connection: 'a:publish' };

function events(name?: string): { events: Events; errors: string[] } {
  const errors: string[] = [];
  const logger = { log() {}, warn() {}, error: (line: string) => void errors.push(line) };
  return { events: new Events(logger, 'billing', name), errors };
}

const leave: (() => void)[] = [];
afterEach(() => {
  for (const each of leave.splice(0)) each();
});

function listenOn(channel: string): DiagnosticsMessage[] {
  const heard: DiagnosticsMessage[] = [];
  const listener = (message: unknown): void => void heard.push(message as DiagnosticsMessage);
  subscribe(channel, listener);
  leave.push(() => void unsubscribe(channel, listener));
  return heard;
}

describe('listeners', () => {
  it('all hear an event, in the order in which they came, until they leave', () => {
    const { events: object } = events();
    const heard: string[] = [];
    const leaveFirst = object.on(({ kind }) => void heard.push(`first ${kind}`));
    object.on(({ kind }) => void heard.push(`second ${kind}`));
    object.emit(EVENT);
    leaveFirst();
    leaveFirst();
    object.emit(EVENT);
    expect(heard).toEqual(['first unblocked', 'second unblocked', 'second unblocked']);
  });

  it('the same function may listen twice, and one of the two may leave', () => {
    const { events: object } = events();
    let heard = 0;
    const listener = (): void => void heard++;
    object.on(listener);
    object.on(listener)();
    object.emit(EVENT);
    expect(heard).toBe(1);
  });

  it('one that throws is logged by its name, escaped, and the others hear the event all the same', () => {
    const { events: object, errors } = events();
    let heard = 0;
    object.on(function careless() {
      throw new Error('no\nthanks');
    });
    object.on(() => void heard++);
    object.emit(EVENT);
    expect(heard).toBe(1);
    expect(errors).toEqual(["a listener of 'unblocked' (careless) failed: Error: no\\x0athanks"]);
  });

  it('one whose promise rejects is logged, and no rejection is left unhandled', async () => {
    const { events: object, errors } = events();
    const listener: (event: BrokerEvent) => unknown = () => Promise.reject(new Error('later'));
    object.on(listener);
    object.emit(EVENT);
    await new Promise((resolve) => setImmediate(resolve));
    expect(errors).toEqual(["a listener of 'unblocked' (listener) failed: Error: later"]);
  });

  it('one that always fails does not fill the log', () => {
    const { events: object, errors } = events();
    object.on(() => {
      throw new Error('again');
    });
    for (let index = 0; index < 1_000; index++) object.emit(EVENT);
    expect(errors).toHaveLength(1);
  });

  it('one that names kinds hears only those, and the others need not be built for it', () => {
    const { events: object } = events();
    const heard: string[] = [];
    const stop = object.on(({ kind }) => void heard.push(kind), ['blocked', 'unblocked']);
    object.emit({ kind: 'closing' });
    object.emit(EVENT);
    expect(heard).toEqual(['unblocked']);
    expect([object.hasListeners('unblocked'), object.hasListeners('closing')]).toEqual([true, false]);
    stop();
    expect(object.hasListeners('unblocked')).toBe(false);
  });

  it('knows whether building an event is worth it', () => {
    const { events: object } = events();
    expect(object.hasListeners('handled')).toBe(false);
    const stop = object.on(() => undefined);
    expect(object.hasListeners('handled')).toBe(true);
    stop();
    listenOn('warren:handled');
    expect([object.hasListeners('handled'), object.hasListeners('settled')]).toEqual([true, false]);
  });
});

describe('node:diagnostics_channel', () => {
  it('has a channel for each kind, and the message says which broker object it is from', () => {
    const { events: object } = events('audit');
    for (const kind of BROKER_EVENT_KINDS) {
      const heard = listenOn(`warren:${kind}`);
      const event = { kind } as BrokerEvent;
      object.emit(event);
      expect(heard).toEqual([{ service: 'billing', broker: 'audit', event }]);
    }
  });

  it('without a name the broker object is called default', () => {
    const heard = listenOn('warren:unblocked');
    events().events.emit(EVENT);
    expect(heard.map(({ broker }) => broker)).toEqual(['default']);
  });

  it('a subscriber hears nothing of other kinds, and nothing after it left', () => {
    const { events: object } = events();
    const heard = listenOn('warren:blocked');
    object.emit(EVENT);
    for (const each of leave.splice(0)) each();
    object.emit({ kind: 'blocked', connection: 'a', reason: 'memory' });
    expect(heard).toEqual([]);
  });
});
