// The guide's two versions of one application, on Nest 11, which golevelup's module needs: the same is seen of both,
// each half speaks with the other version, and what the guide says is different is different.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { join } from 'node:path';
import type * as Version from '../../docs/examples/migrating/golevelup-after.js';
import { root } from '../architecture/sources.js';
import { onEachBroker } from '../support/brokers.js';
import { until, within } from '../support/events.js';

onEachBroker("the guide from golevelup's module", (broker) => {
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

  async function dead(): Promise<unknown> {
    const channel = await (await broker.connect()).createChannel();
    const message = await channel.get('shop.orders.dead', { noAck: true });
    return message && JSON.parse(message.content.toString());
  }

  describe.each([
    // The first one finds an empty broker.
    ['golevelup-after', 'golevelup-after'],
    ['golevelup-before', 'golevelup-before'],
    ['golevelup-before', 'golevelup-after'],
    ['golevelup-after', 'golevelup-before'],
  ])('the shop of %s and the till of %s', (server, client) => {
    it('trade as before', async () => {
      const { orders } = await shop(server);
      const customer = await till(client);
      expect(await customer.quote('carrot')).toBe('carrot costs 60');
      await customer.place('carrot');
      await customer.place('broken');
      await until(() => orders.length > 0, 'the order');
      expect(orders).toEqual([{ sku: 'carrot' }]);
      await until(async () => (await dead()) !== false, 'the dead letter');
    });
  });

  it.each([
    ['golevelup-before', 'golevelup-before', /^no gone: Failed to receive response within timeout of 1000ms/],
    [
      'golevelup-before',
      'golevelup-after',
      /^no gone: no reply from 'price.quote' on exchange 'shop' within 1000 ms/,
    ],
    ['golevelup-after', 'golevelup-before', /^gone costs undefined$/],
    ['golevelup-after', 'golevelup-after', /^no gone: sold out$/],
  ])('what the shop of %s throws is seen by the till of %s as %s', async (server, client, seen) => {
    await shop(server);
    expect(await (await till(client)).quote('gone')).toMatch(seen);
  });

  it('a till whose shop was never there waits in the old version, and is told at once in the new one', async () => {
    process.env.RABBITMQ_URL = await broker.addVhost();
    // Modules that were loaded before know the other address.
    const fresh = async (version: string): Promise<string> => {
      const path = join(root, 'docs/examples/migrating', version);
      const { Till, TillModule } = (await import(`${path}.ts?${broker.kind}-alone`)) as typeof Version;
      const app = await NestFactory.createApplicationContext(TillModule, { logger: false });
      closing.push(app);
      return app.get(Till).quote('carrot');
    };
    expect(await fresh('golevelup-before')).toMatch(/^no carrot: Failed to receive response within timeout/);
    expect(await fresh('golevelup-after')).toMatch(/^no carrot: no handler listens for /);
  });
});
