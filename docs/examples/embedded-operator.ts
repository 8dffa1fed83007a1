// What an operator does to an embedded broker, as docs/embedded-broker.md shows it.
import { EmbeddedBroker } from '@warren/embedded';

const broker = await EmbeddedBroker.start({ management: true });

// #region users
await broker.users.add('reports', 'secret', {
  permissions: { '/': { configure: '', write: '', read: '^reports\\.' } },
});
await broker.users.setTopicPermissions('reports', '/', 'amq.topic', { write: '', read: '^public\\.' });
await broker.users.changePassword('reports', 'other');
await broker.users.delete('reports'); // closes the user's connections with 320
// #endregion

// #region policies
const short = { 'max-length': 1000, 'message-ttl': 60_000 };
await broker.policies.set({ name: 'short', pattern: '^jobs', definition: short });
await broker.policies.set({ name: 'limit', pattern: '', definition: { expires: 3_600_000 }, operator: true });
await broker.policies.delete('short');
// #endregion

// #region management
const { username, password, origin } = new URL(broker.managementUrl ?? '');
const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
const response = await fetch(`${origin}/api/queues/%2F?columns=name,messages`, {
  headers: { authorization },
});
console.log(response.status, await response.json());
// #endregion

// #region definitions
const definitions = await broker.exportDefinitions();
await broker.importDefinitions(definitions); // or the path of a file
// #endregion

await broker.close();
