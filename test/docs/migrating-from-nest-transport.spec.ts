// The guide's three versions of one application: the same is seen of each, the first two speak with each other, and
// what the guide says is different is different.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { join } from 'node:path';
import type * as Version from '../../docs/examples/migrating/nest-between.js';
import { root } from '../architecture/sources.js';
import { onEachBroker } from '../support/brokers.js';
import { until, within } from '../support/events.js';

onEachBroker("the guide from Nest's transport", (broker) => {
  const closing: { close(): Promise<unknown> }[] = [];
  const given = process.env.RABBITMQ_URL;

  beforeEach(() => {
    process.env.RABBITMQ_URL = broker.url;
    Logger.overrideLogger(false);
  });

  afterEach(async () => {
    for (const app of closing.splice(0).reverse()) await app.close();
    if (given === undefined) delete process.env.RABBITMQ_URL;
    else process.env.RABBITMQ_URL = given;
  });

  // The query makes it a module of its own for each broker.
  const load = (version: string): Promise<typeof Version> =>
    import(`${join(root, 'docs/examples/migrating', version)}.ts?${broker.kind}`) as Promise<typeof Version>;

  async function shop(version: string): Promise<Version.Shop> {
    const { serve, Shop } = await load(version);
    const app = await within(serve(), `the shop of ${version}`);
    closing.push(app);
    return app.get(Shop);
  }

  async function till(version: string): Promise<Version.Till> {
    const { Till, TillModule } = await load(version);
    const app = await NestFactory.createApplicationContext(TillModule, { logger: false });
    closing.push(app);
    return app.get(Till);
  }

  it('a till whose shop was never there waits in the old version, and is told at once in the new one', async () => {
    expect(await (await till('nest-before')).quote('carrot')).toBe('no carrot: Timeout has occurred');
    expect(await (await till('nest-after')).quote('carrot')).toMatch(/^no carrot: no handler listens for /);
  });

  describe.each([
    ['nest-before', 'nest-before'],
    ['nest-before', 'nest-between'],
    ['nest-between', 'nest-before'],
    ['nest-between', 'nest-between'],
    ['nest-after', 'nest-after'],
  ])('the shop of %s and the till of %s', (server, client) => {
    it('trade as before', async () => {
      const { orders } = await shop(server);
      const customer = await till(client);
      expect(await customer.quote('carrot')).toBe('carrot costs 60');
      expect(await customer.quote('gone')).toBe('no gone: sold out');
      expect(await customer.watch('carrot')).toEqual([60, 54, 48]);
      await customer.place('carrot');
      await until(() => orders.length > 0, 'the order');
      expect(orders).toEqual([{ sku: 'carrot' }]);
    });
  });
});
