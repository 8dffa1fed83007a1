// Health endpoints over HTTP, with Terminus and without: live and ready are two answers, and both are true while the
// broker goes away and comes back.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  Module,
  type INestApplication,
  type LoggerService,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { EmbeddedBroker } from '@warren/embedded';
import {
  Consume,
  getBrokerToken,
  Publisher,
  RabbitModule,
  type Broker,
  type RabbitModuleOptions,
} from '@warren/nestjs';
import { RabbitHealthIndicator } from '@warren/nestjs/terminus';
import { onEachBroker } from '../support/brokers.js';
import { until, within } from '../support/events.js';
import { apps } from '../support/nest.js';

const SILENT: LoggerService = { log() {}, warn() {}, error() {} };

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly rabbit: RabbitHealthIndicator,
  ) {}

  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rabbit.live()]);
  }

  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rabbit.ready('queues', { maxBlocked: '20ms', publishBuffer: 0.5 })]);
  }
}

@Injectable()
class Orders {
  @Consume('health.orders')
  place(): void {}
}

const brokers: EmbeddedBroker[] = [];
afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
});

async function embedded(port = 0): Promise<EmbeddedBroker> {
  const broker = await EmbeddedBroker.start({ port });
  brokers.push(broker);
  return broker;
}

async function start(metadata: ModuleMetadata): Promise<{ app: INestApplication; url: string }> {
  @Module(metadata)
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl() };
}

interface Answer {
  readonly code: number;
  readonly body: { readonly status: string; readonly details: Record<string, Record<string, unknown>> };
}

async function ask(url: string, what: 'live' | 'ready'): Promise<Answer> {
  const answer = await fetch(`${url}/health/${what}`);
  return { code: answer.status, body: (await answer.json()) as Answer['body'] };
}

const module = (options: RabbitModuleOptions, more: ModuleMetadata = {}): ModuleMetadata => {
  const { imports = [], providers = [] } = more;
  return {
    imports: [
      TerminusModule.forRoot({ logger: false }),
      RabbitModule.forRoot({
        service: 'shop',
        queueType: 'classic',
        reconnect: { min: 20, max: 100 },
        logger: SILENT,
        ...options,
      }),
      ...imports,
    ],
    controllers: [HealthController],
    providers: [RabbitHealthIndicator, Orders, ...providers],
  };
};

onEachBroker('health of an application that runs', (broker) => {
  it('is live and ready, with the facts of each connection and consumer', async () => {
    const { url } = await start(module({ url: broker.url }));
    const { code, body } = await ask(url, 'ready');
    expect([code, body.status]).toEqual([200, 'ok']);
    expect(body.details).toEqual({
      queues: {
        status: 'up',
        problems: [],
        connections: {
          default: {
            closing: false,
            connections: { 'shop:consume': { state: 'open' }, 'shop:publish': { state: 'open' } },
            consumers: { 'health.orders': { ready: true, handlers: ['Orders.place'], inFlight: 0 } },
            unconfirmed: 0,
            publishBuffer: { messages: 0, bytes: 0, taken: 0 },
          },
        },
      },
    });
    const live = await ask(url, 'live');
    expect([live.code, live.body.details.rabbit.status]).toEqual([200, 'up']);
  });

  it('sends nothing to the broker, however often it is asked', async () => {
    const sockets: Socket[] = [];
    const opened = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
    subscribe('net.client.socket', opened);
    try {
      const quiet = { heartbeat: '1h', watchdog: '1h', retry: false } as const;
      const { app } = await start(module({ url: broker.url, ...quiet }));
      const indicator = app.get(RabbitHealthIndicator);
      const sent = (): number[] => sockets.map(({ bytesWritten }) => bytesWritten);
      const atRest = async (): Promise<number[]> => {
        const looks: string[] = [];
        const same = (): boolean => looks.push(String(sent())) > 5 && new Set(looks.slice(-5)).size === 1;
        await until(same, 'all that was written to leave');
        return sent();
      };
      const before = await atRest();
      expect(before).toHaveLength(2);
      for (let n = 0; n < 100; n++) {
        expect([indicator.live().rabbit.status, indicator.ready().rabbit.status]).toEqual(['up', 'up']);
      }
      expect(await atRest()).toEqual(before);
    } finally {
      unsubscribe('net.client.socket', opened);
    }
  });

  it('is ready with a handler that somebody paused, and says who and since when', async () => {
    const { app, url } = await start(module({ url: broker.url }));
    const { control } = app.get<Broker>(getBrokerToken());
    await control.handler('Orders.place').pause();
    const { code, body } = await ask(url, 'ready');
    expect([code, body.details.queues.problems]).toEqual([200, []]);
    expect(body.details.queues.connections).toMatchObject({
      default: {
        consumers: { 'health.orders': { ready: false, paused: 'control', pausedFor: expect.any(Number) } },
      },
    });
    await control.handler('Orders.place').resume();
    const [consumer] = Object.values(app.get(RabbitHealthIndicator).check().connections.default.consumers);
    expect(consumer).toEqual({ ready: true, handlers: ['Orders.place'], inFlight: 0 });
  });

  it('is ready again after the broker closed its connections', async () => {
    const { url } = await start(module({ url: broker.url }));
    await broker.closeConnections();
    await until(async () => (await ask(url, 'ready')).code === 200, 'the application to be ready again');
  });

  it('tells named connections apart', async () => {
    const { app } = await start(
      module(
        { url: broker.url },
        { imports: [RabbitModule.forRoot('audit', { url: broker.url, service: 'audit', logger: SILENT })] },
      ),
    );
    const indicator = app.get(RabbitHealthIndicator);
    expect(Object.keys(indicator.check().connections)).toEqual(['default', 'audit']);
    expect(Object.keys(indicator.check({ connections: 'audit' }).connections)).toEqual(['audit']);
    await app.get<Broker>(getBrokerToken('audit')).close();
    expect(indicator.check({ connections: 'default' })).toMatchObject({ live: true, ready: true });
    expect(indicator.check()).toMatchObject({ live: false, ready: false });
    expect(indicator.check().problems).toContain('audit: audit:publish is closed');
  });
});

describe('health while the broker goes away and comes back (embedded)', () => {
  it('not ready with the reason, but live; ready again when it is back', async () => {
    const first = await embedded();
    const { port } = first;
    const { url } = await start(module({ url: first.url }));
    expect((await ask(url, 'ready')).code).toBe(200);

    await first.close();
    const away = await until(async () => {
      const answer = await ask(url, 'ready');
      const problems = String(answer.body.details.queues.problems);
      return answer.code === 503 && problems.includes('ECONNREFUSED') && answer;
    }, 'readiness to say that the broker is away');
    expect(away.body.details.queues.status).toBe('down');
    expect(away.body.details.queues.problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /^shop:(consume|publish) is (connecting|not connected; trying again): .*ECONNREFUSED/,
        ),
        expect.stringMatching(/^'health\.orders' is not consumed: /),
      ]),
    );
    expect((await ask(url, 'live')).code).toBe(200);

    await embedded(port);
    await until(async () => (await ask(url, 'ready')).code === 200, 'the application to be ready again');
  });

  it('an application that starts in the background is live at once, and ready when the broker is there', async () => {
    const reserved = await embedded();
    const { port } = reserved;
    await reserved.close();
    const { url } = await start(
      module({ url: `amqp://guest:guest@127.0.0.1:${port}`, startup: 'background' }),
    );
    expect((await ask(url, 'live')).code).toBe(200);
    expect((await ask(url, 'ready')).code).toBe(503);
    await embedded(port);
    await until(async () => (await ask(url, 'ready')).code === 200, 'the application to be ready');
  });

  it('a broker that blocks publishers for longer than allowed makes it not ready, until it takes messages again', async () => {
    const broker = await embedded();
    const { url, app } = await start(module({ url: broker.url }));
    await broker.block('memory');
    // RabbitMQ tells of an alarm when something is published; so does the embedded broker.
    const waiting = app.get(Publisher).publish('blocked', {});
    const blocked = await until(async () => {
      const answer = await ask(url, 'ready');
      return answer.code === 503 && answer;
    }, 'readiness to say that the broker blocks');
    expect(blocked.body.details.queues.problems).toEqual([
      expect.stringMatching(/^shop:publish has been blocked by the broker for \d+ ms$/),
    ]);
    expect((await ask(url, 'live')).code).toBe(200);
    await broker.unblock();
    await until(async () => (await ask(url, 'ready')).code === 200, 'the application to be ready again');
    await within(waiting, 'the message to be confirmed');
  });

  it('publishes that fill more of the publish buffer than allowed make it not ready', async () => {
    const broker = await embedded();
    const { app } = await start(
      module({ url: broker.url, publish: { buffer: { messages: 4, bytes: 1_000_000 } } }),
    );
    await broker.close();
    const indicator = app.get(RabbitHealthIndicator);
    await until(() => !indicator.check().ready, 'the loss to be noticed');
    const sending = [1, 2, 3].map((n) => app.get(Publisher).publish('waits', n));
    const settled = Promise.allSettled(sending);
    const full = '3 publishes are waiting; 75 % of publish.buffer is used';
    await until(() => indicator.check({ publishBuffer: 0.5 }).problems.includes(full), full);
    expect(indicator.check({ publishBuffer: 0.75 }).problems.join()).not.toContain('publishes wait');
    await app.close();
    await settled;
  });

  it('shutting down: not ready at once, still live', async () => {
    const broker = await embedded();
    const { app } = await start(module({ url: broker.url }));
    const draining = app.get<Broker>(getBrokerToken()).drain();
    const { live, ready, problems } = app.get(RabbitHealthIndicator).check();
    expect({ live, ready, problems }).toEqual({
      live: true,
      ready: false,
      problems: ['it is shutting down'],
    });
    await draining;
  });

  it('a connection that was given up is not live', async () => {
    const broker = await embedded();
    const { app, url } = await start(module({ url: broker.url }));
    await app.get<Broker>(getBrokerToken()).close();
    const { code, body } = await ask(url, 'live');
    expect([code, body.details.rabbit.status]).toEqual([503, 'down']);
    expect(body.details.rabbit.problems).toContain('shop:consume is closed');
  });
});

describe('the health indicator', () => {
  it('refuses a connection that does not exist and a limit out of range', async () => {
    const broker = await embedded();
    const { app } = await start(module({ url: broker.url }));
    const indicator = app.get(RabbitHealthIndicator);
    expect(() => indicator.live('rabbit', { connections: 'nowhere' })).toThrow(
      "there is no connection 'nowhere' to check",
    );
    expect(() => indicator.ready('rabbit', { publishBuffer: 80 })).toThrow('publishBuffer is 80');
    expect(() => indicator.ready('rabbit', { maxBlocked: 'soon' as never })).toThrow('maxBlocked');
  });
});
