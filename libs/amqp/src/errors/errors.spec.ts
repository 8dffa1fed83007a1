import { describe, expect, it } from '@jest/globals';
import * as door from '../index.js';
import { RabbitError } from './errors.js';

describe('errors', () => {
  const classes = Object.entries(door).filter(
    ([, value]) => typeof value === 'function' && value.prototype instanceof RabbitError,
  );

  it('all of the door are errors of their own name, with a code of their own', () => {
    expect(classes.length).toBeGreaterThan(15);
    const facts = { what: 'queue', name: 'n', argument: 'a', current: 'c', wanted: 'w', declaredBy: 'h' };
    const made = classes.map(([name, type]) => {
      const error = new (type as new (...args: unknown[]) => RabbitError)(facts, 'two', 'three', 'four');
      expect(error).toBeInstanceOf(Error);
      expect(error.name).toBe(name);
      expect(error.code).toMatch(/^WARREN_[A-Z_]+$/);
      return error.code;
    });
    expect(new Set(made).size).toBe(made.length);
  });

  it('say what happened and what to do, and keep the cause', () => {
    const error = new RabbitError('WARREN_X', 'it broke', 'mend it', 'cause');
    expect(error).toMatchObject({ message: 'it broke (mend it)', hint: 'mend it', cause: 'cause' });
    expect(new RabbitError('WARREN_X', 'it broke', '').message).toBe('it broke');
    expect('cause' in new RabbitError('WARREN_X', 'm', '')).toBe(false);
  });
});
