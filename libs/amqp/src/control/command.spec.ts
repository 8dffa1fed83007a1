// What is taken for a command, and what is not.
import { expect, it } from '@jest/globals';
import { inEffect, readCommand, writeCommand } from './command.js';

const id = '0123456789abcdef';
const read = (value: unknown): unknown => readCommand(Buffer.from(JSON.stringify(value)));

it.each([
  { id },
  { id, handler: 'Orders.place', change: { paused: true } },
  { id, handler: 'Orders.place', change: { prefetch: 1, concurrency: 65_535, rate: '100/s' } },
  { id, handler: 'Orders.place', change: { rate: null } },
])('is read as it was written: %j', (command) => {
  expect(readCommand(writeCommand(command as never))).toEqual(command);
});

it.each([
  undefined,
  null,
  7,
  [],
  {},
  { id: 'short', handler: 'a', change: { paused: true } },
  { id, handler: '', change: { paused: true } },
  { id, handler: 'x'.repeat(501), change: { paused: true } },
  { id, handler: 7, change: { paused: true } },
  { id, handler: 'a' },
  { id, handler: 'a', change: {} },
  { id, handler: 'a', change: { paused: 'yes' } },
  { id, handler: 'a', change: { prefetch: 0 } },
  { id, handler: 'a', change: { concurrency: 1.5 } },
  { id, handler: 'a', change: { rate: '0/s' } },
  { id, handler: 'a', change: { paused: true }, more: 'x'.repeat(5_000) },
])('is none: %j', (value) => {
  expect(value === undefined ? readCommand(Buffer.from('{')) : read(value)).toBeUndefined();
});

it('what else is in it is left out', () => {
  const change = JSON.parse('{ "paused": true, "__proto__": { "rate": "1/s" }, "more": 1 }') as unknown;
  expect(read({ id, handler: 'a', change, from: 'me' })).toEqual({
    id,
    handler: 'a',
    change: { paused: true },
  });
});

it('a change is in effect until each of its fields was changed again for the same handler', () => {
  const changes = [
    { id: '1', handler: 'a', change: { prefetch: 4, rate: null } },
    { id: '2', handler: 'a', change: { prefetch: 5 } },
    { id: '3', handler: 'b', change: { prefetch: 6 } },
    { id: '4', handler: 'a', change: { prefetch: 7, paused: true } },
  ];
  expect(inEffect(changes).map(({ id }) => id)).toEqual(['1', '3', '4']);
  expect(inEffect([])).toEqual([]);
});
