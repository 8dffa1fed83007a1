import { describe, expect, it } from '@jest/globals';
import { isDirectReply, mayBeHurt, NO_SERVER, serverOf } from '../../message/direct-reply.js';
import { mayReplyTo } from './reply.js';

const [old, middle, recent] = ['3.10.8', '4.0.5', '4.3.6'].map((version) =>
  serverOf({ product: 'RabbitMQ', version }),
);
const other = serverOf({ product: 'Warren embedded broker', version: '0.1.0' });

const direct = (rest: string, server = old): boolean =>
  mayReplyTo(`amq.rabbitmq.reply-to.${rest}`, 'q', 'any', server);

const KEY = 'R5lGS2uPYREt2FrSc/0G/A==';

/** As RabbitMQ makes them, in every part otherwise. */
function forged({
  id = 1,
  serial = 0,
  version = 131,
  tag = 88,
  atom = 118,
  node = 'reply@16411140',
  numbers = 12,
  length = 0,
} = {}): string {
  const size = Buffer.byteLength(node) + length;
  const bytes = [
    version,
    tag,
    atom,
    ...(atom === 119 ? [size] : [size >> 8, size & 255]),
    ...Buffer.from(node),
  ];
  const counts = new Array<number>(numbers).fill(0);
  [counts[0], counts[4]] = [id, serial];
  return Buffer.from([...bytes, ...counts]).toString('base64');
}

describe('direct reply-to', () => {
  it.each([
    ['3.10.8', 'g1h2AA5yZXBseUAxMDQ0OTE1NgAAEDAAAAAAawl1UQ==.AooR1JrGhMSlgxJiyfkmLA=='],
    ['4.0.5', 'g1h2AA9yZXBseUAxMzI1NDUyMjAAAGplAAAAAGsJdVE=.oM70WRfpVbMPNiSbZ/qBzA=='],
    ['4.3.6', 'g1h2AA5yZXBseUA3MTg5MzIwNAAAYioAAAAAawl1Ug==.7rszgSBcrl5bERTDuwoHVw=='],
  ])('an address as RabbitMQ %s makes it is allowed, by any of them', (_version, rest) => {
    for (const server of [old, middle, recent]) expect(direct(rest, server)).toBe(true);
  });

  it('so is one that differs in its node, process and key only', () => {
    expect(direct(`${forged()}.${KEY}`)).toBe(true);
    expect(direct(`${forged({ node: 'reply@0' })}.${KEY}`)).toBe(true);
    expect(direct(`${forged({ node: 'reply@134217727' })}.${KEY}`)).toBe(true);
  });

  it.each([
    `${forged({ version: 130 })}.${KEY}`,
    `${forged({ tag: 103 })}.${KEY}`,
    `${forged({ atom: 100 })}.${KEY}`,
    `${forged({ atom: 119 })}.${KEY}`,
    `${forged({ numbers: 11 })}.${KEY}`,
    `${forged({ numbers: 13 })}.${KEY}`,
    `${forged({ id: 16 })}.${KEY}`,
    `${forged({ serial: 1 })}.${KEY}`,
    `${forged({ length: 1 })}.${KEY}`,
    `${forged({ length: -1 })}.${KEY}`,
    `${forged({ node: 'rabbit@nowhere' })}.${KEY}`,
    `${forged({ node: 'reply@' })}.${KEY}`,
    `${forged({ node: 'reply@01' })}.${KEY}`,
    `${forged({ node: 'reply@+1' })}.${KEY}`,
    `${forged({ node: 'reply@134217728' })}.${KEY}`,
    `${forged({ node: 'reply@99999999999999999999' })}.${KEY}`,
    `${forged()}.`,
    `${forged()}.YmFy`,
    `${forged()}.R5lGS2uPYREt2FrSc/0G/B==`,
    `${forged()}.${KEY}.x`,
    `${forged()}.${KEY}\n`,
    forged(),
    '',
    'Zm9v.YmFy',
    'gw==.YmFy',
    'kTx0-aZ_9',
    'one.two.three',
  ])('any other form is refused: %s', (rest) => {
    for (const server of [old, middle, recent]) expect(direct(rest, server)).toBe(false);
  });

  it('other brokers make addresses of another form', () => {
    expect(direct('kTx0-aZ_9', other)).toBe(true);
    expect(direct('', other)).toBe(false);
    for (const server of [old, other, NO_SERVER]) {
      expect(mayReplyTo('amq.rabbitmq.reply-to', 'q', 'any', server)).toBe(false);
    }
  });

  it('may hurt RabbitMQ before 4.3 all the same', () => {
    const address = `amq.rabbitmq.reply-to.${forged()}.${KEY}`;
    expect([address, 'a.queue'].map(isDirectReply)).toEqual([true, false]);
    const rabbit = (version?: string): boolean => mayBeHurt(serverOf({ product: 'RabbitMQ', version }));
    // A version that cannot be read may be an old one.
    for (const version of ['3.10.8', '3.13.7', '4.0.5', '4.2.1', undefined])
      expect(rabbit(version)).toBe(true);
    for (const version of ['4.3.0', '4.3.6', '4.10.0', '5.0.0']) expect(rabbit(version)).toBe(false);
    expect(mayBeHurt(other)).toBe(false);
  });
});

describe('queues', () => {
  it('that only a caller reads are allowed, others are not, unless the option says so', () => {
    for (const own of ['shop.replies.0123abcd', 'amq.gen-JzTY20BRgKO-HjmUJj0wLg']) {
      expect(mayReplyTo(own, 'q', [], old)).toBe(true);
    }
    for (const foreign of [
      'payments',
      'replies.mine',
      'shop.replies.x',
      'amq.topic',
      'shop.replies.0123abcd.dead',
    ]) {
      expect(mayReplyTo(foreign, 'q', [], old)).toBe(false);
      expect(mayReplyTo(foreign, 'q', 'any', old)).toBe(true);
    }
    expect(mayReplyTo('replies.mine', 'q', ['other.', 'replies.'], old)).toBe(true);
    expect(mayReplyTo('victim', 'q', ['replies.'], old)).toBe(false);
  });

  it('the one of the request never', () => {
    for (const allowed of ['any', ['q']] as const) expect(mayReplyTo('q', 'q', allowed, old)).toBe(false);
    expect(mayReplyTo('amq.gen-JzTY20BRgKO-HjmUJj0wLg', 'amq.gen-JzTY20BRgKO-HjmUJj0wLg', [], old)).toBe(
      false,
    );
  });
});
