// The embedded broker in a program, as docs/embedded-broker.md shows it.
// #region start
import { EmbeddedBroker } from '@warren/embedded';

const broker = await EmbeddedBroker.start({ port: 0, vhosts: ['shop'] });
console.log(new URL(broker.url).hostname); // broker.url: amqp://guest:guest@127.0.0.1:<port>
await broker.close();
// #endregion
