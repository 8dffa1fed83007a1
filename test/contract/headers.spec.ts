// Headers exchanges: a table of binding arguments, message headers, and whether they meet.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../support/brokers.js';
import { channelRefusal, Session } from './session.js';

const typed = (type: string, value: unknown): object => ({ '!': type, value });

/** Binding arguments, headers, answer. */
const decisions: readonly (readonly [string, object, object, boolean])[] = [
  ['all, and all are there', { 'x-match': 'all', a: 1, b: 'x' }, { a: 1, b: 'x', c: 'more' }, true],
  ['all, and one is missing', { 'x-match': 'all', a: 1, b: 'x' }, { a: 1 }, false],
  ['all, and one is another', { 'x-match': 'all', a: 1, b: 'x' }, { a: 1, b: 'y' }, false],
  ['all is what no x-match means', { a: 1, b: 2 }, { a: 1 }, false],
  ['no x-match, and all are there', { a: 1, b: 2 }, { a: 1, b: 2 }, true],
  ['any, and one is there', { 'x-match': 'any', a: 1, b: 2 }, { b: 2 }, true],
  ['any, and none is there', { 'x-match': 'any', a: 1, b: 2 }, { c: 3 }, false],
  ['any, and none is equal', { 'x-match': 'any', a: 1, b: 2 }, { a: 2, b: 1 }, false],
  ['all of nothing takes everything', { 'x-match': 'all' }, { a: 1 }, true],
  ['all of nothing takes a message without headers', { 'x-match': 'all' }, {}, true],
  ['any of nothing takes nothing', { 'x-match': 'any' }, { a: 1 }, false],
  ['no arguments at all take everything', {}, { a: 1 }, true],
  ['text is compared by letter', { a: 'Text' }, { a: 'text' }, false],
  ['the name of a header is compared by letter', { Format: 'pdf' }, { format: 'pdf' }, false],
  ['empty text is a value', { a: '' }, { a: '' }, true],
  ['empty text is not a missing header', { a: '' }, {}, false],
  ['a number is not its text', { a: 5 }, { a: '5' }, false],
  ['numbers of different width are equal', { a: 5 }, { a: typed('long', 5) }, true],
  ['true is true', { a: true }, { a: true }, true],
  ['true is not 1', { a: true }, { a: 1 }, false],
  ['true is not "true"', { a: true }, { a: 'true' }, false],
  ['nothing as a value only asks for the header', { a: null }, { a: 'whatever' }, true],
  ['nothing as a value is not met by its absence', { a: null }, { b: 1 }, false],
  ['nothing in the message is not a value', { a: 'x' }, { a: null }, false],
  ['tables are compared as a whole', { a: { b: 1 } }, { a: { b: 1 } }, true],
  ['lists are compared in order', { a: [1, 2] }, { a: [2, 1] }, false],
  ['x-headers of the binding are not asked for', { 'x-mine': 1, a: 1 }, { a: 1 }, true],
  ['x-headers of the message count for nothing', { 'x-match': 'any', 'x-mine': 1 }, { 'x-mine': 1 }, false],
  ['any-with-x asks for x-headers too', { 'x-match': 'any-with-x', 'x-mine': 1 }, { 'x-mine': 1 }, true],
  ['all-with-x asks for x-headers too', { 'x-match': 'all-with-x', 'x-mine': 1, a: 1 }, { a: 1 }, false],
];

onEachVersion('A headers exchange', (broker) => {
  it.each(decisions)('decides: %s', async (_, args, headers, matches) => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('headers');
    const queue = await session.bound(exchange, [''], args);
    await session.publish(exchange, 'the key does not matter', 'x', { headers });
    expect(await session.drain(queue)).toEqual(matches ? ['x'] : []);
  });

  it('decides: a fraction without a rest equals the whole number, until 4.0', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('headers');
    const queue = await session.bound(exchange, [''], { a: 5 });
    await session.publish(exchange, '', 'x', { headers: { a: typed('double', 5) } });
    expect(await session.drain(queue)).toEqual(broker.since('4.0') ? [] : ['x']);
  });

  it('gives a queue with two matching bindings one copy', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('headers');
    const queue = await session.bound(exchange, [''], { a: 1 });
    await session.channel.bindQueue(queue, exchange, '', { b: 2 });
    await session.publish(exchange, '', 'x', { headers: { a: 1, b: 2 } });
    expect(await session.drain(queue)).toEqual(['x']);
  });

  it('treats a message without headers like one with none', async () => {
    const session = await Session.open(broker);
    const queue = await session.bound('amq.headers', [''], { 'x-match': 'any', a: 1 });
    await session.publish('amq.headers', '', 'x');
    expect(await session.drain(queue)).toEqual([]);
  });

  it('is also there as amq.match', async () => {
    const session = await Session.open(broker);
    const queue = await session.bound('amq.match', [''], { a: 'only here' });
    await session.publish('amq.match', '', 'x', { headers: { a: 'only here' } });
    expect(await session.drain(queue)).toEqual(['x']);
  });

  it.each([
    ['an unknown word', 'some'],
    ['a number', 7],
  ])('refuses a binding whose x-match is %s with 406', async (_, match) => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('headers');
    expect(
      await channelRefusal(session.channel, () => session.bound(exchange, [''], { 'x-match': match })),
    ).toMatch(/^406 PRECONDITION_FAILED - Invalid x-match field /);
  });
});
