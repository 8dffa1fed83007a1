// Topic routing: the table of awkward pairs, and what only a broker can be asked.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, Session } from './session.js';
import { MANY, topicPairs, type TopicPair } from './topic-pairs.js';

onEachVersion('A topic exchange', (broker) => {
  // A queue for each pattern, every key published once: then the queue knows which keys it was given.
  const answers = async (pairs: readonly TopicPair[]): Promise<TopicPair[]> => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const queues = new Map<string, string>();
    for (const { pattern } of pairs) {
      if (!queues.has(pattern)) queues.set(pattern, await session.bound(exchange, [pattern]));
    }
    const keys = [...new Set(pairs.map(({ key }) => key))];
    await Promise.all(keys.map((key) => session.publish(exchange, key, key)));
    const received = new Map<string, string[]>();
    for (const [pattern, queue] of queues) received.set(pattern, await session.drain(queue));
    return pairs.map(({ pattern, key }) => ({ pattern, key, matches: received.get(pattern)!.includes(key) }));
  };

  it.each(Object.entries(topicPairs))('matches as recorded: %s', async (subject, pairs) => {
    if (subject === MANY && broker.since('4.3')) return;
    expect(await answers(pairs)).toEqual(pairs);
  });

  it('has at least 150 recorded pairs, of both answers', () => {
    const pairs = Object.values(topicPairs).flat();
    expect(pairs.length).toBeGreaterThanOrEqual(150);
    expect(new Set(pairs.map(({ pattern, key }) => `${pattern} ${key}`)).size).toBe(pairs.length);
    for (const answer of [true, false]) {
      expect(pairs.filter(({ matches }) => matches === answer).length).toBeGreaterThan(60);
    }
  });

  it('matches a key of many words against a pattern of many #', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const queue = await session.bound(exchange, [broker.since('4.3') ? '#.a.#.a.b' : '#.a.#.a.#.a.#.b']);
    const words = Array.from({ length: 25 }, () => 'a').join('.');
    await session.publish(exchange, words, 'no');
    await session.publish(exchange, `${words}.b`, 'yes');
    expect(await session.drain(queue)).toEqual(['yes']);
  });

  it('takes a pattern with any number of #, since 4.3 with two', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const queue = await session.bound(exchange, ['#.a.#', '#a.##.#']);
    const bind = (): Promise<unknown> => session.channel.bindQueue(queue, exchange, '#.a.#.b.#');
    if (broker.since('4.3'))
      expect(await channelRefusal(session.channel, bind)).toBe(
        "406 PRECONDITION_FAILED - Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed",
      );
    else expect(await bind()).toEqual({});
  });

  it('forgets a pattern that is unbound and keeps those that share words with it', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const [queue, other] = [
      await session.bound(exchange, ['a.b.#', 'a.b.c']),
      await session.bound(exchange, ['a.b.#']),
    ];
    await session.channel.unbindQueue(queue, exchange, 'a.b.#');
    for (const key of ['a.b', 'a.b.c']) await session.publish(exchange, key, key);
    expect(await session.drain(queue)).toEqual(['a.b.c']);
    expect(await session.drain(other)).toEqual(['a.b', 'a.b.c']);
  });
});
