// Where the contenders' packages are: some beside this file, some where the fault harness has put them, the rest with
// Warren. Each is imported from the folder that names its version.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installPeers } from '../peers/install.mjs';

const peers = join(import.meta.dirname, '..', 'peers');
const root = join(import.meta.dirname, '..', '..');

/**
 * Imports as a module in that folder of bench/peers would.
 *
 * @param {string} folder
 */
export function from(folder) {
  const { resolve } = createRequire(join(peers, folder, 'package.json'));
  return async (/** @type {string} */ name) => {
    const module = await import(pathToFileURL(resolve(name)).href);
    return module.default && !('then' in module) ? { ...module.default, ...module } : module;
  };
}

/**
 * Brings what the contenders need and is not there.
 *
 * @param {(line: string) => void} say
 */
export const install = (say) => installPeers(['golevelup', 'nest-transport', '../speed'], say);

/**
 * `wrap` is what goes over the wire for a body, if not the body; `retries`: retries and dead letters are its own, not the
 * broker's; `peer`: its figures need fewer rounds, since nothing is compared with them; `only`: the one case it takes part in.
 *
 * @typedef {object} Player
 * @property {string} key
 * @property {string} title
 * @property {string} in
 * @property {(body: unknown, key?: string) => unknown} [wrap]
 * @property {boolean} [retries]
 * @property {boolean} [peer]
 * @property {string} [only]
 */

/**
 * The contenders in the order of the table's columns.
 *
 * @type {Player[]}
 */
export const contenders = [
  { key: 'warren', title: 'Warren', in: 'libs/nestjs', retries: true },
  { key: 'warren-amqp', title: '@warren/amqp', in: 'libs/amqp', retries: true },
  { key: 'amqplib-tuned', title: 'amqplib tuned', in: 'node_modules/amqplib' },
  { key: 'bare', title: 'bare', in: 'bench/speed' },
  { key: 'amqplib-naive', title: 'amqplib naive', in: 'node_modules/amqplib', peer: true },
  {
    key: 'golevelup',
    title: 'golevelup (Nest 11)',
    peer: true,
    in: 'bench/peers/golevelup/node_modules/@golevelup/nestjs-rabbitmq',
  },
  {
    key: 'nest-transport',
    title: "Nest's transport",
    peer: true,
    in: 'bench/peers/nest-transport/node_modules/@nestjs/microservices',
    wrap: (/** @type {unknown} */ body, key = 'speed') => ({ pattern: key, data: body }),
  },
  {
    key: 'rabbitmq-client',
    title: 'rabbitmq-client',
    peer: true,
    in: 'bench/speed/node_modules/rabbitmq-client',
  },
  { key: 'nest-alone', title: 'Nest without RabbitMQ', in: 'node_modules/@nestjs/core', only: 'start' },
];

/**
 * What the cases with `between` compare.
 *
 * @type {Player[]}
 */
export const brokers = [
  { key: 'embedded', title: 'embedded broker', in: 'libs/embedded' },
  { key: 'rabbitmq', title: 'RabbitMQ', in: '' },
];

/**
 * The version that is installed.
 *
 * @param {{ in: string }} contender
 */
export const versionOf = (contender) =>
  JSON.parse(readFileSync(join(root, contender.in, 'package.json'), 'utf8')).version;
