// The whole shop, through its HTTP interface. On an embedded broker, or on RabbitMQ when RABBITMQ_URL is set.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { EmbeddedBroker } from '@warren/embedded';
import { type Shop, startShop } from './start.js';

describe('shop', () => {
  let broker: EmbeddedBroker | undefined;
  let gateway: Shop;
  let shop: Shop;
  const printed = jest.spyOn(console, 'log').mockImplementation(() => undefined);

  beforeAll(async () => {
    if (!process.env.RABBITMQ_URL) {
      broker = await EmbeddedBroker.start();
      process.env.RABBITMQ_URL = broker.url;
    }
    gateway = await startShop({ services: [], logger: [] });
  });

  afterAll(async () => {
    await shop.close();
    await gateway.close();
    await broker?.close();
    printed.mockRestore();
  });

  async function order(body: object, at = shop): Promise<{ status: number; id?: string; message?: string }> {
    const response = await fetch(`${at.url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { ...((await response.json()) as object), status: response.status };
  }

  async function state(id: string): Promise<string> {
    const response = await fetch(`${shop.url}/orders/${id}`);
    return ((await response.json()) as { state: string }).state;
  }

  it('without the services the gateway answers at once', async () => {
    expect(await order({ sku: 'carrot', count: 1, card: '1' }, gateway)).toMatchObject({ status: 503 });
    shop = await startShop({ logger: [] });
  });

  it('an order is paid and shipped', async () => {
    const placed = await order({ sku: 'carrot', count: 2, card: '1' });
    expect(placed).toMatchObject({ status: 201, cents: 120 });
    while ((await state(placed.id!)) !== 'shipped');
  });

  it('what went wrong in a service is a status of the gateway', async () => {
    expect(await order({ sku: 'leek', count: 1, card: '1' })).toEqual({
      status: 409,
      statusCode: 409,
      message: 'leek is sold out',
    });
    expect(await order({ sku: 'carrot', count: 1, card: '10' })).toMatchObject({ status: 402 });
    expect(await order({ sku: 'carrot', count: 0, card: '1' })).toMatchObject({ status: 400 });
    expect((await fetch(`${shop.url}/orders/none`)).status).toBe(404);
  });

  it('what a failed order had reserved can be bought again', async () => {
    expect(await order({ sku: 'turnip', count: 1, card: '10' })).toMatchObject({ status: 402 });
    while ((await order({ sku: 'turnip', count: 1, card: '1' })).status !== 201);
  });
});
