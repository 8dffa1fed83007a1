import { describe, expect, it } from '@jest/globals';
import {
  tableBytes,
  takenOver,
  writable,
  forwardable,
  forwardableProperties,
  HEADER,
  refuseUnreadable,
  safeHeaders,
} from './headers.js';

const nested = (levels: number): unknown => (levels === 0 ? 1 : { in: nested(levels - 1) });

describe('what a sender put into headers', () => {
  it('is taken over deeply without prototypes, and timestamps are dates', () => {
    const received = JSON.parse(
      '{"a":{"__proto__":{"polluted":1},"toString":"x","t":{"!":"timestamp","value":5}}}',
    ) as {
      a: object;
    };
    const table = takenOver(received.a) as { polluted?: unknown; t: unknown };
    expect(Object.getPrototypeOf(table)).toBe(null);
    expect(table.polluted).toBeUndefined();
    expect(Object.keys(table)).toEqual(['toString', 't']);
    expect(table.t).toEqual(new Date(5_000));
  });

  it('is a table, even when its sender gave it the prototype of bytes', () => {
    const received: object = Object.create(Buffer.from('x'), { a: { value: 1, enumerable: true } }) as object;
    expect(Buffer.isBuffer(received)).toBe(true);
    expect(takenOver(received)).toEqual({ a: 1 });
  });

  it('is followed for 100 levels; what is deeper makes the message unreadable', () => {
    expect(() => refuseUnreadable(safeHeaders({ deep: nested(100) }))).not.toThrow();
    const headers = safeHeaders({ deep: nested(101), fine: 1 });
    expect({ ...headers }).toEqual({ fine: 1, [HEADER.unreadable]: expect.stringContaining('100 levels') });
    expect(() => refuseUnreadable(headers)).toThrow(/cannot be read/);
  });

  it.each([[2 ** 51 + 0.5], [-1e300], [NaN], [-Infinity]])('%p is written as a double', (value) => {
    expect(writable(value)).toEqual({ '!': 'double', value });
  });

  it.each([[0], [-1.5], [2 ** 53], [-(2 ** 63)], ['x'], [true], [null]])(
    '%p is written as it is',
    (value) => {
      expect(writable(value)).toBe(value);
    },
  );

  it('goes out as it came: dates, decimals, lists, and tables that look like types of the client library', () => {
    const decimal = { '!': 'decimal', value: { places: 2, digits: 5 } };
    expect(writable([new Date(5_000), decimal])).toEqual([{ '!': 'timestamp', value: 5 }, decimal]);
    const odd = writable({ '!': 'nonsense', value: 1 }) as object;
    const seen: string[] = [];
    for (const name in odd) seen.push(name);
    expect([Object.hasOwn(odd, '!'), seen]).toEqual([false, ['!', 'value']]);
  });

  it.each([
    [{ places: 256, digits: 5 }],
    [{ places: -1, digits: 5 }],
    [{ places: 1, digits: -1 }],
    [{ places: 1, digits: 2 ** 32 }],
    [{ places: 1.5, digits: 1 }],
    [null],
  ])('%j is no decimal, so that it can be written as a table', (value) => {
    const table = writable({ '!': 'decimal', value }) as object;
    expect(Object.hasOwn(table, '!')).toBe(false);
    const most = { '!': 'decimal', value: { places: 255, digits: 2 ** 32 - 1 } };
    expect(writable(most)).toBe(most);
  });

  it('is left out, the largest first, when it does not fit beside the facts', () => {
    const kept = forwardable(
      { large: 'x'.repeat(60_000), middle: 'y'.repeat(3_000), small: 1 },
      { fact: 'z'.repeat(9_000) },
    );
    expect(Object.keys(kept).sort()).toEqual(['fact', 'middle', 'small', HEADER.leftOut].sort());
    expect(kept[HEADER.leftOut]).toBe('large');
    expect(tableBytes(kept)).toBeLessThan(65_536);
  });

  it('and into properties is cut to what can be written', () => {
    const noUtf8 = Buffer.alloc(255, 0xff).toString();
    const { messageId, type, timestamp } = forwardableProperties({
      messageId: noUtf8,
      type: 'é'.repeat(127),
      timestamp: 2 ** 64,
    });
    expect(Buffer.byteLength(String(messageId))).toBeLessThanOrEqual(255);
    expect([type, timestamp]).toEqual(['é'.repeat(127), undefined]);
  });
});
