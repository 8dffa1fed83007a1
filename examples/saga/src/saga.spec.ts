// Trips to all their ends. On an embedded broker, or on RabbitMQ when RABBITMQ_URL is set.
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { RabbitTesting } from '@warren/nestjs/testing';
import { setTimeout as pause } from 'node:timers/promises';
import { AppModule } from './app.module.js';
import { Do, StepDone, StepUndone } from './contracts.js';
import { Services } from './services.js';
import { STEP_TIMEOUT, TripSaga } from './trip-saga.js';
import { Trips } from './trips.js';

describe('saga', () => {
  let rabbit: RabbitTesting;

  beforeAll(() => void jest.spyOn(console, 'log').mockImplementation(() => undefined));
  afterEach(() => rabbit.stop());

  /** The timers of steps are real ones: with shortened waits every step would be late. */
  async function start(stepTimeout: string): Promise<void> {
    rabbit = await RabbitTesting.start({
      imports: [AppModule],
      waits: 'real',
      configure: (builder) => builder.overrideProvider(STEP_TIMEOUT).useValue(stepTimeout),
    });
  }

  async function trip(city: string): Promise<{ state: string; reason?: string; booked: string[] }> {
    const id = city.toLowerCase();
    await rabbit.get(TripSaga).begin({ id, city });
    const saga = (): ReturnType<Trips['find']> => rabbit.get(Trips).find(id);
    while (!['booked', 'cancelled'].includes(saga()?.state ?? '')) await pause(10);
    const { state = '', reason } = saga() ?? {};
    return { state, reason, booked: rabbit.get(Services).booked({ id }) };
  }

  it('a trip is booked when all steps are done', async () => {
    await start('1m');
    expect(await trip('Lisbon')).toEqual({ state: 'booked', booked: ['flight', 'room', 'payment'] });
  });

  it('a step that fails takes back the steps before it', async () => {
    await start('1m');
    expect(await trip('Paris')).toEqual({ state: 'cancelled', reason: 'no room in Paris', booked: [] });
  });

  it('a step that never answers takes back all', async () => {
    await start('300ms');
    expect(await trip('Oslo')).toMatchObject({ state: 'cancelled', booked: [] });
  });

  it('messages that come twice, or too late, change nothing', async () => {
    await start('1m');
    await trip('Lisbon');
    const params = { id: 'lisbon' };
    await rabbit.publisher.publish(StepDone, { step: 'flight' }, { params });
    await rabbit.publisher.publish(StepUndone, { step: 'payment' }, { params });
    await rabbit.publisher.send(Do.room, { id: 'lisbon', city: 'Lisbon' });
    await trip('Paris');
    await rabbit.publisher.publish(StepDone, { step: 'flight' }, { params: { id: 'paris' } });
    while (rabbit.handled(TripSaga, 'done').length < 7) await pause(10);
    while (rabbit.handled(TripSaga, 'undone').length < 3) await pause(10);

    const services = rabbit.get(Services);
    expect(rabbit.get(Trips).find('lisbon')).toMatchObject({ state: 'booked' });
    expect(services.booked({ id: 'lisbon' })).toEqual(['flight', 'room', 'payment']);
    expect(services.booked({ id: 'paris' })).toEqual([]);
  });
});
