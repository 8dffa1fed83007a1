// What clients over AMQP and the management API do alike to queues, exchanges and bindings: the permission first, then
// the act.
import type { ExchangeSettings } from '../model/exchange.js';
import { refused, type ResourceKind } from '../model/failure.js';
import type { Queue } from '../model/queue.js';
import type { QueueFlags } from '../model/queue-settings.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { serverName } from '../model/virtual-host.js';
import type { Table } from '../wire/field-table.js';
import type { Permitted } from './permitted.js';

/** RabbitMQ takes line ends out of the names that are declared, bound and deleted. */
export const oneLine = (name: string): string => (/[\r\n]/.test(name) ? name.replace(/[\r\n]/g, '') : name);

/** Declares a queue for a connection, or checks that the one that is there is like it. */
export function declareQueue(
  vhost: VirtualHost,
  permitted: Permitted,
  wanted: string,
  declaration: QueueFlags & { readonly arguments: Table },
  connection: object,
): Queue {
  const name = wanted === '' ? serverName() : wanted;
  permitted.require('configure', 'queue', name);
  const deadLetters = declaration.arguments.get('x-dead-letter-exchange');
  if (!vhost.has(name) && deadLetters?.type === 'longstr') {
    permitted.require('read', 'queue', name);
    permitted.require('write', 'exchange', deadLetters.value);
  }
  return vhost.declare(wanted, declaration, declaration.arguments, connection);
}

/** Deletes a queue and says how many messages were in it. */
export function deleteQueue(
  vhost: VirtualHost,
  permitted: Permitted,
  name: string,
  only: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
  connection: object,
): number {
  permitted.require('configure', 'queue', name);
  return vhost.delete(name, only.ifUnused, only.ifEmpty, connection);
}

export function declareExchange(
  vhost: VirtualHost,
  permitted: Permitted,
  name: string,
  settings: ExchangeSettings,
): void {
  if (name === '') throw refused('operation not permitted on the default exchange');
  permitted.require('configure', 'exchange', name);
  const alternate = settings.arguments.get('alternate-exchange');
  if (!vhost.exchanges.find(name) && alternate?.type === 'longstr') {
    permitted.require('read', 'exchange', name);
    permitted.require('write', 'exchange', alternate.value);
  }
  vhost.exchanges.declare(name, settings);
}

export function deleteExchange(
  vhost: VirtualHost,
  permitted: Permitted,
  name: string,
  ifUnused: boolean,
): void {
  if (name !== '') permitted.require('configure', 'exchange', name);
  vhost.exchanges.delete(name, ifUnused);
}

/** Throws 403 when the user may not make or remove this binding. */
export function checkBinding(
  vhost: VirtualHost,
  permitted: Permitted,
  kind: ResourceKind,
  binding: { readonly source: string; readonly destination: string; readonly routingKey: string },
): void {
  const source = oneLine(binding.source);
  permitted.requireBinding(kind, oneLine(binding.destination), source);
  permitted.requireTopic('read', vhost.exchanges.find(source), binding.routingKey);
}
