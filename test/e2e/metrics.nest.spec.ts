// Metrics as Prometheus sees them: of two connections in one process, over restarts of the application, in the registry that
// was given or the default one.

import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EmbeddedBroker } from '@warren/embedded';
import {
  Consume,
  getPublisherToken,
  INSTRUMENTS,
  metrics,
  Publisher,
  prometheusName,
  RabbitModule,
  Reject,
  RpcHandler,
} from '@warren/nestjs';
import { prometheus } from '@warren/nestjs/prometheus';
import { Registry, register } from 'prom-client';
import { MetricsController, Printed } from '../../docs/examples/metrics.js';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { withPrometheus } from '../support/prometheus.js';

const SILENT = { log() {}, warn() {}, error() {} };

@Injectable()
class Orders {
  @Consume('measured.orders')
  place(order: { bad?: boolean }): void {
    if (order.bad) throw Reject('it is bad');
  }

  @RpcHandler('measured.price')
  price(): number {
    return 42;
  }
}

const apps: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  register.clear();
});

/** An application with the connections `default` and `second`. */
async function start(url: string, registry?: Registry): Promise<INestApplication> {
  const options = { url, service: 'measured', queueType: 'classic', logger: SILENT } as const;
  @Module({
    imports: [
      RabbitModule.forRoot({ ...options, plugins: [prometheus({ registry })] }),
      RabbitModule.forRoot('second', { ...options, consumers: false, plugins: [prometheus({ registry })] }),
    ],
    controllers: [MetricsController],
    providers: [Orders],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

/** The value of a series whose labels contain `labels`, in the text of an endpoint. */
function value(text: string, name: string, ...labels: string[]): number | undefined {
  const line = text
    .split('\n')
    .find((each) => each.startsWith(`${name}{`) && labels.every((label) => each.includes(label)));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
}

async function work(app: INestApplication): Promise<void> {
  const publisher = app.get(Publisher);
  await publisher.send('measured.orders', {});
  await publisher.send('measured.orders', { bad: true });
  await app.get<Publisher>(getPublisherToken('second')).send('measured.orders', {});
  expect(await publisher.request('measured.price', {})).toBe(42);
}

const parameters = (type: string | null): string[] => (type ?? '').split('; ').sort();

onEachBroker('metrics for Prometheus', (broker) => {
  it('count what happens on both connections, and go on over a restart of the application', async () => {
    for (const round of [1, 2]) {
      const app = await start(broker.url);
      await work(app);
      const dead = ['reason="rejected"', 'queue="measured.orders"', 'handler="Orders.place"'];
      const text = await until(async () => {
        const answer = await fetch(`${await app.getUrl()}/metrics`);
        // Express of Nest 11 puts the parameters in another order.
        expect(parameters(answer.headers.get('content-type'))).toEqual(parameters(register.contentType));
        const shown = await answer.text();
        const settled = value(shown, 'warren_dead_letters_total', ...dead) === round;
        const handled = value(shown, 'warren_handler_verdicts_total', 'place', 'verdict="ack"');
        return settled && handled === 2 * round && shown;
      }, 'everything to be counted');
      const sent = (...labels: string[]): number | undefined =>
        value(text, 'messaging_client_sent_messages_total', 'operation_name="send"', ...labels);
      expect(sent('connection="default"')).toBe(2 * round);
      expect(sent('connection="second"', 'destination_name="other"')).toBe(round);
      expect(value(text, 'warren_call_duration_seconds_count', 'outcome="replied"')).toBe(round);
      expect(value(text, 'warren_delivery_lag_seconds_count', 'Orders.place')).toBe(3 * round);
      expect(value(text, 'warren_consumer_ready', 'queue="measured.orders"')).toBe(1);
      expect(value(text, 'warren_connection_up', 'connection="second"', 'role="publish"')).toBe(1);
      const place = 'handler="Orders.place"';
      expect(value(text, 'messaging_process_duration_seconds_count', place, 'error_type="Reject"')).toBe(
        round,
      );
      await apps.pop()?.close();
    }
    const after = await register.metrics();
    expect(value(after, 'warren_connection_up', 'connection')).toBeUndefined();
    expect(value(after, 'warren_dead_letters_total', 'reason="rejected"')).toBe(2);
  });
});

describe('metrics and registries', () => {
  let embedded: EmbeddedBroker | undefined;
  afterEach(() => embedded?.close());

  it('use the registry that was given, and register again after it was cleared', async () => {
    embedded = await EmbeddedBroker.start();
    const registry = new Registry();
    for (let round = 0; round < 2; round++) {
      await work(await start(embedded.url, registry));
      const names = INSTRUMENTS.map(prometheusName).sort();
      expect((await registry.getMetricsAsJSON()).map(({ name }) => name).sort()).toEqual(names);
      expect(await register.getMetricsAsJSON()).toEqual([]);
      const text = await registry.metrics();
      expect(value(text, 'messaging_client_sent_messages_total', 'default', 'name="send"')).toBe(2);
      await apps.pop()?.close();
      registry.clear();
    }
  });

  it('an outlet of one own gets the same numbers', async () => {
    embedded = await EmbeddedBroker.start();
    const added = new Map<string, number>();
    class Own extends Printed {
      override add(...[instrument, , count]: Parameters<Printed['add']>): void {
        added.set(instrument.name, (added.get(instrument.name) ?? 0) + count);
      }
    }
    const options = { url: embedded.url, service: 'measured', logger: SILENT };
    @Module({
      imports: [
        RabbitModule.forRoot({ ...options, plugins: [metrics(new Own())] }),
        RabbitModule.forRoot('second', options),
      ],
      providers: [Orders],
    })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    await work(app as INestApplication);
    await app.close();
    // Two sent, one of them as a dead letter, one request, and its reply.
    expect(added.get('messaging.client.sent.messages')).toBe(5);
    expect(added.get('warren.dead_letters')).toBe(1);
  });
});

withPrometheus('Prometheus itself', (prometheus) => {
  it('scrapes an application and answers queries by the documented names', async () => {
    const embedded = await EmbeddedBroker.start();
    try {
      const app = await start(embedded.url);
      await work(app);
      const server = await prometheus.scraping(`${await app.getUrl()}/metrics`);
      const total = 'sum(messaging_client_sent_messages_total{messaging_operation_name="send"})';
      await until(async () => (await server.ask(total)) === 3, 'a scrape');
      expect(await server.ask('min(warren_connection_up)')).toBe(1);
      expect(await server.ask('sum(warren_call_duration_seconds_count{outcome="replied"})')).toBe(1);
      await app.close();
    } finally {
      await embedded.close();
    }
  });
});
