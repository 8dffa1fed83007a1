// Where the contenders' packages are: some beside this file, some where the fault harness has put them, the rest with
// Warren. Each is imported from the folder that names its version.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installPeers } from '../peers/install.mjs';

const peers = join(import.meta.dirname, '..', 'peers');
const root = join(import.meta.dirname, '..', '..');

/** Imports as a module in that folder of bench/peers would. */
export function from(folder) {
  const { resolve } = createRequire(join(peers, folder, 'package.json'));
  return async (name) => {
    const module = await import(pathToFileURL(resolve(name)).href);
    return module.default && !('then' in module) ? { ...module.default, ...module } : module;
  };
}

/** Brings what the contenders need and is not there. */
export const install = (say) => installPeers(['golevelup', 'nest-transport', '../speed'], say);

/** The contenders in the order of the table's columns. `wrap` is what goes over the wire for a body, if not the body. */
export const contenders = [
  { key: 'warren', title: 'Warren', in: 'libs/nestjs' },
  { key: 'warren-amqp', title: '@warren/amqp', in: 'libs/amqp' },
  { key: 'amqplib-tuned', title: 'amqplib tuned', in: 'node_modules/amqplib' },
  { key: 'amqplib-naive', title: 'amqplib naive', in: 'node_modules/amqplib' },
  {
    key: 'golevelup',
    title: 'golevelup',
    in: 'bench/peers/golevelup/node_modules/@golevelup/nestjs-rabbitmq',
  },
  {
    key: 'nest-transport',
    title: "Nest's transport",
    in: 'bench/peers/nest-transport/node_modules/@nestjs/microservices',
    wrap: (body, key = 'speed') => ({ pattern: key, data: body }),
  },
  {
    key: 'rabbitmq-client',
    title: 'rabbitmq-client',
    in: 'bench/speed/node_modules/rabbitmq-client',
  },
];

/** The version that is installed. */
export const versionOf = (contender) =>
  JSON.parse(readFileSync(join(root, contender.in, 'package.json'), 'utf8')).version;
