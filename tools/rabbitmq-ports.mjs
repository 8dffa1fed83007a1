// Ports of a private RabbitMQ: free ones for its start, and whether the broker behind them answers yet.
// A listening port proves little: the node listens before it can take a connection, so AMQP itself is asked.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

const START_LIMIT = 300_000;
const STOP_LIMIT = 20_000;

/**
 * @param {{ port: number, managementPort: number }} ports
 * @param {boolean} management
 * @param {() => boolean} stillAlive
 */
export async function ready({ port, managementPort }, management, stillAlive) {
  const end = Date.now() + START_LIMIT;
  while (!(await answersAmqp(port)) || (management && !(await answersManagement(managementPort)))) {
    if (!stillAlive()) throw new Error('RabbitMQ ended while it was starting.');
    if (Date.now() > end) throw new Error(`RabbitMQ did not answer within ${START_LIMIT / 1000} s.`);
    await wait(100);
  }
}

/** @param {number} port */
function answersAmqp(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 });
    /** @param {boolean} value */
    const answer = (value) => (socket.destroy(), resolve(value));
    socket.on('connect', () => socket.write(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')));
    socket.on('data', (data) => answer(data[0] === 1));
    socket
      .on('error', () => answer(false))
      .on('timeout', () => answer(false))
      .on('close', () => answer(false));
  });
}

/** @param {number} port */
async function answersManagement(port) {
  const headers = { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` };
  const url = `http://127.0.0.1:${port}/api/overview`;
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  await response?.arrayBuffer().catch(() => undefined);
  return response?.ok ?? false;
}

/** @param {number} port */
export async function gone(port) {
  const end = Date.now() + STOP_LIMIT;
  while (Date.now() < end && (await answersAmqp(port))) await wait(50);
}

/** @param {number} count @param {number} [wanted] */
export async function freePorts(count, wanted) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map(
    (server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port,
  );
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return wanted ? [wanted, ...ports.slice(1)] : ports;
}
