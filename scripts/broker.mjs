// Which RabbitMQ the tests use: one that already runs at RABBITMQ_URL, else a private node of the installed program,
// else of Debian's package when it may be installed, else of a container. Never two ways at once, and always said.
import { findRabbitMQ, installRabbitMQ, startRabbitMQ } from './rabbitmq.mjs';
import { fail } from './run.mjs';

/** `{ url, managementUrl, what, stop }`, or `{ reason }` when there is none to be had. */
export async function rabbitMQ() {
  if (process.env.RABBITMQ_URL) return given(process.env.RABBITMQ_URL);
  let reason;
  if (findRabbitMQ() === undefined) {
    const outcome = await installRabbitMQ();
    if (!outcome.installed) reason = outcome.reason;
  }
  console.log('starting RabbitMQ ...');
  const started = performance.now();
  try {
    // With neither program nor package this tries a container.
    const node = await startRabbitMQ({ management: true });
    const what = await version(node.url);
    console.log(`${what} answers after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    return { url: node.url, managementUrl: node.managementUrl, what, stop: () => node.stop() };
  } catch (error) {
    return { reason: reason === undefined ? error.message : `${reason}; ${error.message}` };
  }
}

async function given(url) {
  try {
    const what = `${await version(url)} at RABBITMQ_URL`;
    return { url, managementUrl: process.env.RABBITMQ_MANAGEMENT_URL, what };
  } catch (error) {
    return fail(`RABBITMQ_URL is set, but no broker can be used there: ${error.message}`);
  }
}

async function version(url) {
  const { connect } = await import('amqplib');
  const connection = await connect(url, { timeout: 10_000 });
  connection.on('error', () => {});
  const { product, version: number } = connection.connection.serverProperties;
  await connection.close();
  return `${product} ${number}`;
}
