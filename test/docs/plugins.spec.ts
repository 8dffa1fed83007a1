// The plugins that docs/plugins.md shows, together in one application.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getBrokerToken, Publisher, type Broker } from '@warren/nestjs';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { invoicing, Invoices, tenants } from '../../docs/examples/plugins.js';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { taken } from '../support/warren.js';

const keys = { new: randomBytes(32), old: randomBytes(32) };

onEachBroker('the plugins of the guide', (broker) => {
  let folder: string;
  let app: INestApplicationContext;

  async function start(its: Readonly<Record<string, Buffer>> = keys): Promise<Publisher> {
    const url = process.env.RABBITMQ_URL;
    process.env.RABBITMQ_URL = broker.url;
    app = await NestFactory.createApplicationContext(invoicing(its, folder), { logger: false });
    if (url === undefined) delete process.env.RABBITMQ_URL;
    else process.env.RABBITMQ_URL = url;
    return app.get(Publisher);
  }

  afterEach(() => app.close());
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'claims-'))));
  afterAll(() => rm(folder, { recursive: true }));

  it('keep bodies secret, large ones in a folder, and the tenant of every message', async () => {
    const publisher = await start();
    const large = { id: 2, scan: 'x'.repeat(100_000) };
    await tenants.run('eu', () => publisher.send('invoices', { id: 1 }));
    await tenants.run('us', () => publisher.send('invoices', large));
    const { seen } = app.get(Invoices);
    await until(() => seen.length === 2, 'both invoices');
    expect(seen.sort()).toEqual([
      [1, 'eu'],
      [2, 'us'],
    ]);
    expect(await publisher.request('invoices.total', [1, 2])).toBe(3);
    expect(await readdir(folder)).toHaveLength(1);
    expect(app.get<Broker>(getBrokerToken()).status().plugins).toEqual({
      tenant: {},
      encryption: {},
      'claim-check': { stored: 1 },
    });

    // What other programs see.
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('elsewhere', { durable: false });
    await publisher.send('elsewhere', { secret: 'carrots' });
    const sent = await taken(broker, 'elsewhere');
    expect(sent.content.includes('carrots')).toBe(false);
    expect(sent.properties).toMatchObject({
      contentType: 'application/vnd.example.encrypted',
      headers: { 'x-key': 'new', 'x-content-type': 'application/json' },
    });
  });

  it('read what was encrypted with an older key, and dead-letter what has a key of nobody', async () => {
    const { old } = keys;
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('elsewhere', { durable: false });
    await (await start({ old })).send('elsewhere', { id: 3 });
    const { content, properties } = await taken(broker, 'elsewhere');
    await app.close();

    await start();
    const give = (headers: object): boolean =>
      channel.sendToQueue('invoices.filed', content, {
        contentType: properties.contentType as string,
        headers: { ...properties.headers, ...headers },
      });
    give({});
    const { seen } = app.get(Invoices);
    await until(() => seen.length === 1, 'the invoice');
    expect(seen).toEqual([[3, undefined]]);

    const dead = async (headers: object): Promise<object | undefined> => {
      give(headers);
      return (await taken(broker, 'invoices.filed.dead')).properties.headers;
    };
    expect(await dead({ 'x-key': 'lost' })).toMatchObject({
      'x-warren-reason': 'undecodable',
      'x-exception-message': expect.stringContaining("no key 'lost'"),
    });
    expect(await dead({ 'x-claim': '../../etc/passwd' })).toMatchObject({
      'x-warren-reason': 'rejected',
      'x-exception-message': 'x-claim is not an id of ours',
    });
  });
});
