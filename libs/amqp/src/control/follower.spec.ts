// A follower whose stream is empty, and which may not write its mark into it.

import { expect, it } from '@jest/globals';
import { systemClock } from '../runtime/clock.js';
import { settings } from '../options/settings.js';
import { writeCommand } from './command.js';
import { Follower, type FollowerOptions } from './follower.js';

it('a mark that cannot be written is one line, and no unhandled rejection when a record comes meanwhile', async () => {
  const lines: string[] = [];
  const logger = { log() {}, warn: (line: string) => void lines.push(line), error() {} };
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  const follower = new Follower({
    connection: {
      onOpen: () => () => undefined,
      on: () => undefined,
    } as unknown as FollowerOptions['connection'],
    settings: settings({ service: 'shop', logger }),
    clock: systemClock,
    apply: () => Promise.resolve(undefined),
    replay: (changes) => changes.map(() => Promise.resolve(undefined)),
    has: () => false,
    mark: () => Promise.resolve(''),
    onKnown: () => undefined,
  });
  const inner = follower as unknown as {
    end: { mark: Promise<string> };
    unmarked(error: unknown): void;
    onRecord(message: object): void;
  };
  const mark = Promise.reject<string>(new Error('write refused'));
  inner.end = { mark };
  mark.catch((error: unknown) => inner.unmarked(error));
  inner.onRecord({
    exchange: follower.name,
    content: writeCommand({ id: 'aaaaaaaaaaaaaaaa', handler: 'Orders.place', change: { paused: true } }),
    properties: {},
  });
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
  expect(lines.join()).toContain('write refused');
});
