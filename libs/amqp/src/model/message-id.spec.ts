import { describe, expect, it } from '@jest/globals';
import { newMessageId } from './message-id.js';

describe('newMessageId', () => {
  it('makes UUIDs that all differ', () => {
    const ids = Array.from({ length: 10_000 }, newMessageId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });
});
