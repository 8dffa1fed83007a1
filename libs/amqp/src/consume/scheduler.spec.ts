// When a suspect begins, and what is held against it that came back.

import { expect, it } from '@jest/globals';
import { ACK, Delivery } from '../message/delivery.js';
import { settings } from '../options/settings.js';
import { systemClock } from '../runtime/clock.js';
import { SILENT } from '../runtime/logger.js';
import { DeliveryScheduler, type SchedulerDeps } from './scheduler.js';

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

function scheduling() {
  const ran: string[] = [];
  const again: [string, number][] = [];
  const held: Delivery[] = [];
  const named = ({ message }: Delivery): string => message.content.toString();
  let acksAnswered = Promise.resolve();
  const deps = {
    context: {
      plan: {
        ...{ id: 'h', ack: 'auto', concurrency: 10 },
        queue: { name: 'q', temporary: false, arguments: { 'x-queue-type': 'quorum' } },
        registration: { options: {} },
      },
      ...{ clock: systemClock, logger: SILENT, settings: settings({}) },
    },
    handlers: { runOf: () => (delivery: Delivery) => (ran.push(named(delivery)), ACK) },
    unacked: {
      deliveries: () => held,
      quiet: () => Promise.resolve(),
      remove: (delivery: Delivery) => void held.splice(held.indexOf(delivery), 1),
    },
    settlement: {
      finish: () => undefined,
      suspect: (delivery: Delivery, trial: number) => (
        again.push([named(delivery), trial]),
        Promise.resolve(true)
      ),
    },
    pause: () => Promise.resolve(undefined),
    acksAnswered: () => acksAnswered,
  } as unknown as SchedulerDeps;
  const scheduler = new DeliveryScheduler(deps);
  const arrive = (body: string, redelivered = false): Delivery => {
    const message = {
      ...{ exchange: '', routingKey: 'q', content: Buffer.from(body), redelivered },
      properties: { headers: { 'x-warren-trial': 1 } },
    };
    const delivery = new Delivery(message as never, 'q', undefined as never);
    held.push(delivery);
    scheduler.push(delivery);
    return delivery;
  };
  const answering = (): (() => void) => {
    let answer = (): void => undefined;
    acksAnswered = new Promise((resolve) => (answer = resolve));
    return answer;
  };
  return { scheduler, ran, again, arrive, answering };
}

it('a suspect that a pause finds waiting begins when that is called off', async () => {
  const { scheduler, ran, arrive, answering } = scheduling();
  const answer = answering();
  arrive('a');
  await turns();
  scheduler.flow.hold();
  answer();
  await turns();
  expect(ran).toEqual([]);
  scheduler.flow.release();
  await turns();
  expect(ran).toEqual(['a']);
});

it('a suspect that the broker took back counts as one that harmed only if it had begun', async () => {
  for (const began of [false, true]) {
    const { scheduler, ran, again, arrive } = scheduling();
    scheduler.flow.hold();
    const late = arrive('a');
    if (began) late.run.beganAt = 1;
    scheduler.forget(() => true, [late]);
    scheduler.flow.release();
    arrive('a', true);
    await turns();
    expect([ran, again]).toEqual(began ? [[], [['a', 2]]] : [['a'], []]);
  }
});
