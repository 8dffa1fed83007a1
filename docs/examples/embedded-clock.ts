// What expires in two hours has expired, as docs/embedded-broker.md shows it.
// #region clock
import { EmbeddedBroker } from '@warren/embedded';
import { connect } from 'amqplib';

const broker = await EmbeddedBroker.start();
const connection = await connect(broker.url);
const channel = await connection.createChannel();
await channel.assertQueue('sessions', { expires: 7_200_000 });
await broker.clock.advance('1h59m');
console.log((await broker.inspect()).queues.length);
await broker.clock.advance('1m');
console.log((await broker.inspect()).queues.length);
await connection.close();
await broker.close();
// #endregion
