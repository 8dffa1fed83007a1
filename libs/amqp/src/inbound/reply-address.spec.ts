import { describe, expect, it } from '@jest/globals';
import { mayReplyTo } from './reply-address.js';

const direct = (rest: string): boolean => mayReplyTo(`amq.rabbitmq.reply-to.${rest}`, 'q', undefined);

const processOf = (atom: readonly number[], node: string, counters: number, tag = 88): string =>
  Buffer.from([131, tag, ...atom, ...Buffer.from(node), ...new Array<number>(counters).fill(1)]).toString(
    'base64',
  );

describe('direct reply-to', () => {
  it('the broker’s own addresses are allowed', () => {
    // As RabbitMQ 3.10.8 with Erlang 25 made it.
    expect(direct('g1h2AA5yZXBseUAxNjQxMTE0MAAAeZwAAAACawEf1g==.R5lGS2uPYREt2FrSc/0G/A==')).toBe(true);
    expect(direct(`${processOf([119, 3], 'a@b', 12)}.YmFy`)).toBe(true);
    expect(direct(`${processOf([100, 0, 3], 'a@b', 9, 103)}.YmFy`)).toBe(true);
  });

  it.each([
    'Zm9v.YmFy',
    'g2EB.YmFy',
    `${processOf([119, 4], 'a@b', 12)}.YmFy`,
    `${processOf([119, 3], 'a@b', 11)}.YmFy`,
    `${processOf([118, 0, 3], 'a@b', 12, 97)}.YmFy`,
    `${processOf([119, 3], 'a@b', 12)}.no base64`,
    'gw==.YmFy',
  ])('a forged one would cost the connection and is refused: %s', (rest) => {
    expect(direct(rest)).toBe(false);
  });

  it.each(['', 'kTx0-aZ_9', 'one.two.three'])('what only comes back as unroutable is allowed: %s', (rest) => {
    expect(direct(rest)).toBe(true);
  });

  it('the name alone is no address', () => {
    expect(mayReplyTo('amq.rabbitmq.reply-to', 'q', undefined)).toBe(false);
  });
});

describe('queues', () => {
  it('any but the one of the request, unless prefixes say which', () => {
    expect(mayReplyTo('replies.mine', 'q', undefined)).toBe(true);
    expect(mayReplyTo('q', 'q', undefined)).toBe(false);
    expect(mayReplyTo('replies.mine', 'q', ['other.', 'replies.'])).toBe(true);
    expect(mayReplyTo('victim', 'q', ['replies.'])).toBe(false);
    expect(mayReplyTo('replies.mine', 'q', [])).toBe(false);
  });
});
