// What the services agree on. In a real system this is a package of its own, which every service installs.
import { event, rpc } from '@warren/nestjs';
import { z } from 'zod';

export class SoldOut extends Error {
  constructor(readonly sku: string) {
    super(`${sku} is sold out`);
  }
}

export class CardDeclined extends Error {
  constructor() {
    super('the card was declined');
  }
}

export class NoSuchOrder extends Error {
  constructor(readonly id: string) {
    super(`there is no order ${id}`);
  }
}

const line = { sku: z.string().min(1), count: z.number().int().positive() };

export const PlaceOrder = rpc('orders.place', {
  request: z.object({ ...line, card: z.string() }),
  response: z.object({ id: z.string(), cents: z.number() }),
  errors: [SoldOut, CardDeclined],
});

export const ShowOrder = rpc('orders.show', {
  request: z.object({ id: z.string() }),
  response: z.object({ id: z.string(), state: z.enum(['placed', 'shipped']) }),
  errors: [NoSuchOrder],
});

export const Reserve = rpc('stock.reserve', {
  request: z.object(line),
  response: z.object({ cents: z.number() }),
  errors: [SoldOut],
});

export const Charge = rpc('payments.charge', {
  request: z.object({ card: z.string(), cents: z.number() }),
  response: z.object({ receipt: z.string() }),
  errors: [CardDeclined],
});

export const OrderPlaced = event('order.{id}.placed', { payload: z.object(line) });
export const OrderFailed = event('order.{id}.failed', { payload: z.object(line) });
export const OrderShipped = event('order.{id}.shipped', { payload: z.object({}) });
