// Whoever prints an object of the public API, or hands it to a structured logger, prints no password.

import { expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { DeadLetters, Publisher, RabbitModule, type BrokerEvent } from '@warren/nestjs';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { EmbeddedBroker } from '@warren/embedded';
import { Collector } from '../support/events.js';
import { onEmbedded } from '../support/brokers.js';
import { warren } from '../support/warren.js';

const SECRET = 's3cr3t-4711';

/** As a person or an assertion prints it, and as a structured logger does. */
const printed = (value: unknown): string =>
  inspect(value, { depth: Infinity, maxStringLength: Infinity }) + JSON.stringify(value);

onEmbedded('what is printed', (broker) => {
  it.each(['url', 'credentials'] as const)('holds no password that came as %s', async (how) => {
    const url = new URL(broker.url);
    [url.username, url.password] = how === 'url' ? ['u', SECRET] : ['guest', 'guest'];
    const credentials = how === 'url' ? undefined : { username: 'u', password: SECRET };
    const options = { url: url.href, credentials, tls: { key: SECRET }, startup: 'background' } as const;
    const events: BrokerEvent[] = [];
    const rabbit = warren(url.href, options).consume('q', () => undefined);
    rabbit.broker.on((event) => events.push(event));
    await rabbit.open();
    await rabbit.broker.send('q', 1, { timeout: 50 }).catch(() => undefined);
    const deadLetters = new DeadLetters({ url: url.href, credentials });
    for (const value of [
      rabbit.broker,
      rabbit.broker.settings,
      rabbit.broker.status(),
      deadLetters,
      ...events,
    ])
      expect(printed(value)).not.toContain(SECRET);
    expect(inspect(rabbit.broker)).toMatch(/^Broker \{\s*service: 'test'/);
  });

  it('holds none with a delivery that was replied to, which an event brings', async () => {
    const url = broker.url.replace('guest:guest', `u:${SECRET}`);
    const printouts = new Collector<string>();
    const options = { credentials: { username: 'guest', password: 'guest' } };
    const rabbit = warren(url, options).rpc('echo', ({ payload }) => payload);
    rabbit.broker.on(({ delivery }) => void printouts.push(printed(delivery)), ['settled']);
    await rabbit.open();
    expect(await rabbit.broker.request('echo', 'hello')).toBe('hello');
    const printout = await printouts.one();
    expect(printout).toContain('hello');
    expect(printout).not.toContain(SECRET);
  });

  it('holds none of those that the embedded broker knows', async () => {
    const embedded = await EmbeddedBroker.start({ users: { u: SECRET } });
    const asked = embedded.url;
    expect(asked).toContain(SECRET);
    expect(inspect(embedded, { depth: Infinity }) + JSON.stringify(embedded)).not.toContain(SECRET);
    await embedded.close();
  });

  it('holds none where Nest hands it out', async () => {
    @Module({
      imports: [
        RabbitModule.forRoot({
          url: broker.url.replace('guest:guest', `u:${SECRET}`),
          startup: 'background',
          logger: { log: () => undefined, warn: () => undefined, error: () => undefined },
        }),
      ],
    })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    expect(inspect(app.get(Publisher), { depth: Infinity })).not.toContain(SECRET);
    expect(JSON.stringify(app.get(Publisher))).not.toContain(SECRET);
    await app.close();
  });
});
