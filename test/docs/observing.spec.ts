// The examples about events and health do what their pages say.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { unsubscribe } from 'node:diagnostics_channel';
import { Injectable, Logger, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { EmbeddedBroker } from '@warren/embedded';
import { Consume, Publisher, RabbitModule, Reject } from '@warren/nestjs';
import { RabbitHealthIndicator } from '@warren/nestjs/terminus';
import { Operations, RabbitMetrics, type Meters } from '../../docs/examples/events.js';
import { HealthModule, ReadyController } from '../../docs/examples/health.js';
import { until } from '../support/events.js';

@Injectable()
class Orders {
  @Consume('observed')
  place(): never {
    throw Reject('no such order');
  }
}

describe('examples of observing', () => {
  let broker: EmbeddedBroker;
  let app: INestApplication | undefined;
  const counted: string[] = [];
  const meters: Meters = {
    count: (name, labels) => void counted.push(`${name} ${Object.values(labels).join(' ')}`),
    time: (name, ms, labels) => void counted.push(`${name} ${labels.handler} ${ms >= 0}`),
  };

  beforeEach(async () => {
    broker = await EmbeddedBroker.start();
  });
  afterEach(async () => {
    await app?.close();
    await broker.close();
    jest.restoreAllMocks();
  });

  async function start(): Promise<string> {
    @Module({
      imports: [
        TerminusModule.forRoot({ logger: false }),
        HealthModule,
        RabbitModule.forRoot({ url: broker.url, service: 'guide', reconnect: { min: 10, max: 50 } }),
      ],
      controllers: [ReadyController],
      providers: [
        Orders,
        Operations,
        RabbitHealthIndicator,
        { provide: RabbitMetrics, useValue: new RabbitMetrics(meters) },
      ],
    })
    class AppModule {}
    app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    return app.getUrl();
  }

  it('metrics count what was handled and published, and operations hear of a loss', async () => {
    const warned: string[] = [];
    jest
      .spyOn(Logger.prototype, 'warn')
      .mockImplementation((message: unknown) => void warned.push(String(message)));
    await start();
    await app?.get(Publisher).send('observed', {});
    await until(() => counted.some((line) => line.startsWith('handler_ms')), 'the message to be handled');
    expect(counted).toEqual(
      expect.arrayContaining([
        'connections_opened guide:consume',
        'connections_opened guide:publish',
        'messages_published  confirmed',
        'messages_handled Orders.place observed rejected',
        'handler_ms Orders.place true',
      ]),
    );
    await broker.closeConnections();
    await until(() => warned.some((line) => line.includes('nobody here consumes observed')), 'the loss');
    expect(warned).toContainEqual(expect.stringMatching(/^page somebody: guide:\w+ is gone \(/));
  });

  it('the endpoints answer with Terminus and without', async () => {
    const url = await start();
    const code = async (path: string): Promise<number> => (await fetch(`${url}/${path}`)).status;
    expect(await Promise.all(['health/live', 'health/ready', 'ready'].map(code))).toEqual([200, 200, 200]);
    await broker.close();
    await until(async () => (await code('ready')) === 503, 'the loss to be noticed');
    expect(await Promise.all(['health/live', 'health/ready'].map(code))).toEqual([200, 503]);
  });

  it('a subscriber of a diagnostics channel hears who published and how it ended', async () => {
    const printed: unknown[][] = [];
    jest.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void printed.push(words));
    const { onPublished } = await import('../../docs/examples/diagnostics.js');
    await start();
    await app?.get(Publisher).publish('observed.not', {});
    unsubscribe('warren:published', onPublished);
    expect(printed).toContainEqual(['guide', 'default', 'returned']);
  });
});
