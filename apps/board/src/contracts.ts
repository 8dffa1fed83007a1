// What is sent in the shop. The schemas are the forms of the board's Publish, and what an edited dead letter is checked against.
import { event, queue, rpc } from '@warren/nestjs';
import { z } from 'zod';

export const Order = z.object({
  sku: z.string().min(1),
  count: z.number().int().positive(),
  card: z.enum(['valid', 'expired']),
});
export type Order = z.infer<typeof Order>;

export const PlaceOrder = rpc('orders.place', {
  request: Order,
  response: z.object({ id: z.string() }),
});

export const Quote = rpc('shipping.quote', {
  request: z.object({ country: z.string() }),
  response: z.object({ cents: z.number() }),
});

export const OrderPlaced = event('order.{id}.placed', { payload: Order });

export const Reminder = queue('shop.reminders', { payload: z.object({ order: z.string() }) });

export const Report = queue('shop.reports', { payload: z.object({ number: z.number() }) });
