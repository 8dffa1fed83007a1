// A request is settled when its answer has arrived, not before: whoever dies in between has it delivered again.
import { expect, it } from '@jest/globals';
import { Delivery } from '../model/delivery.js';
import { ACK } from '../model/verdict.js';
import { Outcomes } from './outcomes.js';

it('a request waits for its answer before it is acked', () => {
  const acked: Delivery[] = [];
  const unsettled = { ack: (one: Delivery) => acked.push(one) > 0, remove: () => undefined };
  const room = { counters: { settledTooLate: 0 }, events: { hears: () => false } };
  const outcomes = new Outcomes(room as never, {} as never, unsettled as never);
  const message = { exchange: '', routingKey: 'q', content: Buffer.alloc(0), properties: {} };
  const delivery = new Delivery(message as never, 'q', outcomes);
  let arrived = (): void => undefined;
  delivery.run.answer = { after: (next) => (arrived = next) };
  outcomes.finish(delivery, ACK);
  expect(acked).toEqual([]);
  arrived();
  expect(acked).toEqual([delivery]);
});
