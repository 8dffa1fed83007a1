import { describe, expect, it } from '@jest/globals';
import { newMessageId } from './message-id.js';

describe('newMessageId', () => {
  it('makes short ids that all differ', () => {
    const ids = Array.from({ length: 10_000 }, newMessageId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[\w-]{13,20}$/);
  });
});
