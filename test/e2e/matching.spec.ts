// The library's own matcher gives the answers that brokers give, for the same awkward pairs.

import { describe, expect, it } from '@jest/globals';
import { matchesRoutingKey } from '@warren/amqp';
import { topicPairs } from '../contract/topic-pairs.js';

describe('patterns and keys', () => {
  it.each(Object.entries(topicPairs))('%s', (_subject, pairs) => {
    const answers = pairs.map(({ pattern, key }) => ({
      pattern,
      key,
      matches: matchesRoutingKey(pattern, key),
    }));
    expect(answers).toEqual(pairs);
  });

  it('there are at least 150 of them', () => {
    expect(Object.values(topicPairs).flat().length).toBeGreaterThanOrEqual(150);
  });
});
