// RabbitControl in a Nest application: handlers by class and method, on the default connection and on a named one, and
// handlers that come and go.

import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  Consume,
  type Delivery,
  getControlToken,
  Publisher,
  RabbitControl,
  RabbitModule,
} from '@warren/nestjs';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { start } from '../support/nest.js';

@Injectable()
class Orders {
  readonly got = new Collector<unknown>();

  @Consume('control.orders')
  place(@Payload() order: unknown): void {
    this.got.push(order);
  }
}

@Injectable()
class Bills {
  @Consume('control.bills', { connection: 'second' })
  write(): void {}
}

onEachBroker('RabbitControl', (broker) => {
  const begin = (): ReturnType<typeof start> => {
    const options = { url: broker.url, service: 'control', queueType: 'classic' } as const;
    return start({
      imports: [RabbitModule.forRoot(options), RabbitModule.forRoot('second', options)],
      providers: [Orders, Bills],
    });
  };

  it('pauses and resumes a method by its name, each connection its own', async () => {
    const app = await begin();
    const [control, { got }, publisher] = [app.get(RabbitControl), app.get(Orders), app.get(Publisher)];
    const paused = await control.handler('Orders.place').pause();
    expect(paused).toMatchObject({ handler: 'Orders.place', inForce: true });
    await publisher.send('control.orders', 1);
    expect(control.status()).toMatchObject([
      { handler: 'Orders.place', consumers: [{ queue: 'control.orders', paused: { by: 'control' } }] },
    ]);
    expect(got.size).toBe(0);
    await control.handler('Orders.place').resume();
    expect(await got.take(1)).toEqual([1]);
    expect(() => control.handler('Bills.write')).toThrow("there is no handler 'Bills.write'");
    const second = app.get<RabbitControl>(getControlToken('second'));
    expect(second.handler('Bills.write').status().consumers).toHaveLength(1);
  });

  it('an unknown name is an error that names the nearest handler and all', async () => {
    const app = await begin();
    expect(() => app.get(RabbitControl).handler('Order.place')).toThrow(
      expect.objectContaining({ hint: 'did you mean Orders.place? known: Orders.place' }),
    );
  });

  it('adds a handler and removes it', async () => {
    const app = await begin();
    const [control, publisher] = [app.get(RabbitControl), app.get(Publisher)];
    const got = new Collector<unknown>();
    await control.subscribe({
      kind: 'consume',
      id: 'tenant 1',
      patterns: ['control.tenant.1'],
      options: {},
      handle: (delivery) => got.push((delivery as Delivery).payload),
    });
    await publisher.send('control.tenant.1', 'first');
    expect(await got.take(1)).toEqual(['first']);
    await until(() => control.handler('tenant 1').status().consumers[0].inFlight === 0, 'the ack');
    await control.unsubscribe('tenant 1');
    expect(() => control.handler('tenant 1')).toThrow("there is no handler 'tenant 1'");
  });
});
