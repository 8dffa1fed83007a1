// Which RabbitMQ the tests use: one that already runs at RABBITMQ_URL, else private nodes, of this machine's program, of
// Debian's packages in the cache, or of a container. Always said.
import { startRabbitMQ } from './rabbitmq.mjs';
import { suites } from './rabbitmq-suite.mjs';
import { fail } from './run.mjs';

/**
 * A node that runs, and how to end one that was started here.
 *
 * @typedef {object} Node
 * @property {string} [line]
 * @property {string} url
 * @property {string} [managementUrl]
 * @property {string} [home]
 * @property {string} what
 * @property {() => Promise<unknown>} [stop]
 */

/** @typedef {(Node & { reason?: undefined }) | { url?: undefined, reason: string }} Outcome */

const lines = [...suites.keys()];
const OLDEST = lines.at(-1);

/** What will be gone in a later RabbitMQ is refused by the nodes of today, so that nothing here depends on it. */
const denied = ['global_qos', 'queue_master_locator', 'amqp_address_v1'].map(
  (name) => `deprecated_features.permit.${name} = false`,
);

/**
 * The nodes for `wanted` lines, each `{ line, url, managementUrl, home, what, stop }`, and why others are missing, as
 * `{ nodes, missing }`. Without choices: the newest available 4, which comes first, and the oldest line.
 */
export async function rabbitMQs(wanted = /** @type {readonly string[]} */ ([])) {
  if (process.env.RABBITMQ_URL) {
    if (wanted.length > 0) fail('--rabbitmq starts nodes of its own: unset RABBITMQ_URL.');
    return { nodes: [await given(process.env.RABBITMQ_URL)], missing: [] };
  }
  const choices = wanted.length > 0 ? wanted.map(choiceOf) : [choiceOf('4'), [OLDEST]];
  console.log('starting RabbitMQ ...');
  const outcomes = await Promise.all(choices.map(firstOf));
  const nodes = outcomes.flatMap(started);
  if (nodes.length === 0 && wanted.length === 0) nodes.push(...started(await start()));
  const missing = outcomes.flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
  return { nodes, missing };
}

/** @param {Outcome} outcome */
const started = (outcome) => (outcome.url === undefined ? [] : [outcome]);

/**
 * `4` is the newest 4; anything else must be a line.
 *
 * @param {string} version
 */
function choiceOf(version) {
  const found = lines.filter(
    (line) => line === version || (!version.includes('.') && line.startsWith(`${version}.`)),
  );
  if (found.length === 0) fail(`--rabbitmq ${version}: there is ${lines.join(', ')}, and 4 for the newest.`);
  return found;
}

/**
 * The first that is to be had of some lines, or why none is.
 *
 * @param {readonly (string | undefined)[]} choice
 * @returns {Promise<Outcome>}
 */
async function firstOf(choice) {
  const reasons = [];
  for (const line of choice) {
    const outcome = await start(line);
    if (outcome.url !== undefined) return outcome;
    reasons.push(`RabbitMQ ${line}: ${outcome.reason}`);
    console.log(reasons.at(-1));
  }
  return { reason: reasons.join('; ') };
}

/**
 * Without a line it is whatever this machine has.
 *
 * @param {string} [line]
 * @returns {Promise<Outcome>}
 */
async function start(line) {
  const began = performance.now();
  try {
    const node = await startRabbitMQ({ line, settings: line?.startsWith('4.') ? denied : [] });
    const what = await version(node.url);
    console.log(`${what} answers after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const { url, managementUrl, home } = node;
    return { line, url, managementUrl, home, what, stop: () => node.stop() };
  } catch (error) {
    return { reason: error.message };
  }
}

/** @param {string} url @returns {Promise<Node>} */
async function given(url) {
  try {
    const what = `${await version(url)} at RABBITMQ_URL`;
    return { url, managementUrl: process.env.RABBITMQ_MANAGEMENT_URL, what };
  } catch (error) {
    return fail(`RABBITMQ_URL is set, but no broker can be used there: ${error.message}`);
  }
}

/** @param {string} url */
async function version(url) {
  const { connect } = await import('amqplib');
  const connection = await connect(url, { timeout: 10_000 });
  connection.on('error', () => {});
  const { product, version: number } = connection.connection.serverProperties;
  await connection.close();
  return `${product} ${number}`;
}
