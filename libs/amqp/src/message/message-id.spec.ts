import { describe, expect, it } from '@jest/globals';
import { newMessageId, newCorrelationId } from './outgoing.js';

describe.each([
  ['newMessageId', newMessageId, /^[\w-]{16}$/],
  ['newCorrelationId', newCorrelationId, /^[\w-]{22}$/],
])('%s', (_name, make, form) => {
  const ids = Array.from({ length: 10_000 }, make);

  it('makes short ids that all differ', () => {
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(form);
  });

  it('makes ids that say nothing about each other', () => {
    // A counter, or a prefix that stays, shows as a character that is the same or moves by one from id to id.
    for (let at = 0; at < ids[0].length; at++) {
      const same = ids.filter((id, n) => n > 0 && id[at] === ids[n - 1][at]).length;
      expect(same).toBeLessThan(ids.length / 2);
      if (at < ids[0].length - 1) expect(new Set(ids.map((id) => id[at])).size).toBe(64);
    }
  });
});
