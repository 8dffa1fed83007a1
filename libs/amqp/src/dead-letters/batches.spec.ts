// What a dead letter leaves behind when it is replayed.
import { expect, it } from '@jest/globals';
import { HEADER } from '../message/headers.js';
import { replayedMessage } from './batches.js';
import { deadLetter } from './dead-letter.js';

it('a replayed message begins anew: with no attempts, no trials and no deadline of its caller', () => {
  const headers = {
    [HEADER.attempt]: 3,
    [HEADER.trial]: 1,
    [HEADER.timeLeft]: 5,
    [HEADER.deadline]: 5,
    [HEADER.reason]: 'poison',
    own: 'stays',
  };
  const message = {
    ...{ content: Buffer.from('x'), exchange: '', routingKey: 'q.dead', redelivered: false, deliveryTag: 1 },
    properties: { messageId: 'm', headers },
  };
  const replayed = replayedMessage(deadLetter(message, 'q.dead', 1), 'q');
  expect(replayed.properties.headers).toEqual({ own: 'stays', [HEADER.queue]: 'q', [HEADER.replayed]: 1 });
});
