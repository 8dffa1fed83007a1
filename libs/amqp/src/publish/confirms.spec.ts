// What the broker says of publishes, with as many of them as a busy process has.

import { describe, expect, it } from '@jest/globals';
import type { ChannelListener, LiveChannel } from '../connection/channel.js';
import type { OutgoingMessage, ReceivedMessage } from '../message/message.js';
import { Confirms, type SendOutcome, type Unconfirmed } from './confirms.js';

/** A channel of which the test is the broker. */
function channel() {
  let listener: Required<ChannelListener> | undefined;
  let sent = 0;
  let close: (reason: string) => void = () => undefined;
  const closed = new Promise<string>((resolve) => (close = resolve));
  const live = {
    closed,
    listen: (given: ChannelListener) => (listener = given as Required<ChannelListener>),
    publish: () => ++sent,
    close: () => Promise.resolve(),
    end: (reason: string) => close(reason),
  };
  const broker = {
    confirm: (number: number, multiple = false) => listener?.onConfirm(number, multiple, 'confirmed'),
    nack: (number: number) => listener?.onConfirm(number, false, 'nacked'),
    hand: (message: OutgoingMessage, headers = message.properties.headers) =>
      listener?.onReturn({
        ...message,
        properties: { ...message.properties, headers },
      } as unknown as ReceivedMessage),
    closed,
  };
  return { confirms: new Confirms(live as unknown as LiveChannel), broker };
}

function publish(id: string, headers: Record<string, unknown> = {}) {
  const outcomes: SendOutcome[] = [];
  const message = {
    ...{ exchange: '', routingKey: 'q', content: Buffer.from('body'), mandatory: true },
    properties: { messageId: id, headers },
  } as OutgoingMessage;
  const entry: Unconfirmed = { message, returned: false, onOutcome: (outcome) => outcomes.push(outcome) };
  return { entry, message, outcomes };
}

function many(count: number, make: (n: number) => ReturnType<typeof publish>) {
  const { confirms, broker } = channel();
  const all = Array.from({ length: count }, (_, n) => make(n));
  for (const { entry } of all) confirms.send(entry);
  return { confirms, broker, all, outcomes: () => all.map(({ outcomes }) => outcomes.join()) };
}

describe('confirms', () => {
  it('give each publish its own outcome, one by one or up to a number', () => {
    const { broker, confirms, outcomes } = many(6, (n) => publish(`m${n}`));
    broker.confirm(2);
    broker.nack(3);
    broker.confirm(5, true);
    expect(outcomes()).toEqual(['confirmed', 'confirmed', 'nacked', 'confirmed', 'confirmed', '']);
    expect(confirms.size).toBe(1);
  });

  it.each([
    ['ahead', 4],
    ['far ahead', 2 ** 52],
    ['beyond all numbers', 2 ** 63],
    ['zero', 0],
    ['one that was settled', 1],
  ])(
    'a number that is %s ends the channel with a protocol error, and the rest is lost',
    async (_, number) => {
      for (const multiple of [false, true]) {
        const { broker, outcomes, confirms } = many(3, (n) => publish(`m${n}`));
        broker.confirm(1);
        broker.confirm(number, multiple);
        expect(await broker.closed).toMatch(
          new RegExp(`protocol error: the broker confirmed publish ${number},.* 3 were sent`),
        );
        await broker.closed;
        expect(outcomes()).toEqual(['confirmed', 'lost', 'lost']);
        expect(confirms.size).toBe(0);
      }
    },
  );

  it('hold a bounded list, whatever is sent in the long run, also behind one that is never answered', () => {
    const { confirms, broker } = channel();
    const outcomes: string[] = [];
    for (let n = 1; n <= 20_000; n++) {
      const { entry } = publish(`m${n}`);
      confirms.send({ ...entry, onOutcome: (outcome) => outcomes.push(outcome) });
      if (n > 10) broker.confirm(n - 10);
    }
    expect([confirms.size, outcomes.length]).toEqual([10, 19_990]);
    expect(confirms.held).toBeLessThan(3_000);
  });
});

describe('returns', () => {
  it('of messages that are still unconfirmed find theirs without looking at the others', () => {
    const COUNT = 40_000;
    let looks = 0;
    const { broker, all, outcomes } = many(COUNT, (n) => {
      const made = publish(`m${n}`);
      Object.defineProperty(made.message, 'routingKey', { get: () => (looks++, 'q'), enumerable: true });
      return made;
    });
    for (const { message } of all) broker.hand({ ...message });
    // Copying the message for the return looks once, comparing it once.
    expect(looks).toBeLessThan(4 * COUNT);
    broker.confirm(COUNT, true);
    expect(new Set(outcomes())).toEqual(new Set(['returned']));
  });

  it('of messages with one id find the right ones among 20 000, also when the first is wanted and waits', () => {
    const wanted = (n: number): boolean => n === 0 || n % 3 === 1;
    const { broker, all, outcomes } = many(20_000, (n) => publish('same', { n }));
    all.forEach(({ message }, n) => wanted(n) || broker.hand(message));
    broker.confirm(20_000, true);
    expect(outcomes()).toEqual(all.map((_, n) => (wanted(n) ? 'confirmed' : 'returned')));
  });

  it('whose headers came back in another form are matched by id and address, the oldest first', () => {
    const { broker, all, outcomes } = many(20_000, () => publish('same', { at: new Date(0) }));
    for (const { message } of all.slice(1)) broker.hand(message, { at: { '!': 'timestamp', value: 0 } });
    broker.confirm(20_000, true);
    expect(outcomes().filter((outcome) => outcome === 'returned')).toHaveLength(19_999);
  });

  it('that come in another order than they were sent are found all the same', () => {
    const { broker, all, outcomes } = many(4, (n) => publish('same', { n }));
    for (const n of [3, 1, 0]) broker.hand(all[n].message);
    broker.confirm(4, true);
    expect(outcomes()).toEqual(['returned', 'returned', 'confirmed', 'returned']);
  });

  it('go on finding theirs after the list was shortened and after all had been settled', () => {
    const { confirms, broker } = channel();
    const outcomes: string[] = [];
    for (let n = 1; n <= 5_000; n++) {
      const { entry, message } = publish(`m${n}`);
      confirms.send({ ...entry, onOutcome: (outcome) => outcomes.push(`${n % 2}${outcome}`) });
      if (n % 2 === 0) broker.hand(message);
      if (n > 3 || n === 1) broker.confirm(n === 1 ? 1 : n - 2);
    }
    expect(new Set(outcomes)).toEqual(new Set(['1confirmed', '0returned']));
  });

  it('before a loss say nothing about the same message when it was sent again', async () => {
    const one = publish('m');
    const [lost, next] = [channel(), channel()];
    lost.confirms.send(one.entry);
    lost.broker.hand(one.message);
    next.confirms.send(one.entry);
    next.broker.confirm(1);
    expect(one.outcomes).toEqual(['confirmed']);
  });

  it('of nobody change nothing', () => {
    const { broker, outcomes } = many(2, (n) => publish(`m${n}`));
    broker.hand(publish('other').message);
    broker.confirm(2, true);
    expect(outcomes()).toEqual(['confirmed', 'confirmed']);
  });
});
