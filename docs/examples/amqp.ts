// The broker object without Nest.
// #region broker
import { Broker, type Delivery } from '@warren/amqp';

const broker = new Broker({ url: process.env.RABBITMQ_URL ?? 'amqp://localhost', service: 'shop' });

broker.register({
  kind: 'consume',
  id: 'ship', // its name in logs and dead letters
  patterns: ['orders'], // the queue
  options: { retry: { attempts: 3, delays: '10s' } },
  handle: (delivery) => console.log('shipped', (delivery as Delivery).payload),
});
const handled = new Promise((resolve) => broker.on(resolve, ['handled']));

await broker.open(); // declares `orders` and what belongs to it, and consumes
await broker.send('orders', { id: 1 }); // resolves when the broker has it
await handled; // only this example ends after one message
await broker.close(); // waits for running handlers
// #endregion
