// Some customers at the shop. With `npm start -- --stay` it stays open at port 3000.
import { setTimeout as pause } from 'node:timers/promises';
import { startShop } from './start.js';

interface Answer {
  readonly id?: string;
  readonly cents?: number;
  readonly message?: string;
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
}

const stay = process.argv.includes('--stay');
const shop = await startShop({ port: stay ? 3000 : 0 });

const orders = [
  { sku: 'carrot', count: 2, card: '4111-1111' },
  { sku: 'turnip', count: 1, card: '4111-0000' },
  { sku: 'leek', count: 1, card: '4111-1111' },
  { sku: 'carrot', count: 0, card: '4111-1111' },
];
for (const order of orders) {
  console.log(`order: ${order.count} ${order.sku}`);
  const response = await fetch(`${shop.url}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
  });
  const { id, cents, message, issues = [] } = (await response.json()) as Answer;
  const why = [message, ...issues.map((issue) => `${issue.path}: ${issue.message}`)];
  console.log(`${response.status}: ${message === undefined ? `${cents} cents` : why.join(': ')}`);
  if (id !== undefined) await shipped(id);
}
if (stay) console.log(`open at ${shop.url}, Ctrl+C closes it`);
else await shop.close();

async function shipped(id: string): Promise<void> {
  for (;;) {
    const order = (await (await fetch(`${shop.url}/orders/${id}`)).json()) as { state: string };
    if (order.state === 'shipped') return console.log('shipped');
    await pause(20);
  }
}
