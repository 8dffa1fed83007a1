// Restores the state from the folder: virtual hosts first, then users and policies, then exchanges, queues and
// bindings, then messages.
import type { AccessChange, Change } from '../model/journal.js';
import type { Policy, PolicyKind } from '../model/policy.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { decodeTable, type Table } from '../wire/field-table.js';
import type { DiskJournal, DiskLogger } from './disk-journal.js';

const ORDER = [
  ...['vhost', 'user', 'permission', 'topic-permission', 'policy'],
  ...['exchange', 'queue', 'binding'],
];

/** Where it is put. */
export interface Restored {
  /** Makes a virtual host that is not there. */
  vhost(name: string): VirtualHost;
  access(change: AccessChange): void;
  policy(vhost: string, kind: PolicyKind, policy: Policy): void;
}

/**
 * Fills the broker. Throws an Error that names what it does not accept with its options; the folder is as before then,
 * since nothing was written yet.
 */
export function restore(journal: DiskJournal, into: Restored, logger: DiskLogger): void {
  const since = new Map<string, number>();
  const vhost = (name: string): VirtualHost => into.vhost(name);
  const ordered = ORDER.flatMap((op) => journal.topology.all.filter((change) => change.op === op));
  for (const change of ordered) {
    try {
      declare(into, change);
      if ('since' in change) since.set(keyOf(change.op, change.vhost, change.name), change.since ?? 0);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(
        `${described(change)} in the folder ${journal.folder} does not fit the options of the broker: ${reason}. Start it with the options that it had, or with another folder`,
        { cause: error },
      );
    }
  }
  let count = 0;
  for (const { entry, message } of journal.found()) {
    const { kind, vhost: host, name } = entry.place;
    const begin = since.get(keyOf(kind, host, name));
    if (begin !== undefined && entry.id > begin) {
      vhost(host).restore(entry.place, message, entry.at, entry.id, entry.time);
      count += 1;
    } else journal.drop(entry.id);
  }
  if (count > 0) logger.log(`${count} messages were restored`);
}

const keyOf = (kind: string, vhost: string, name: string): string => JSON.stringify([kind, vhost, name]);

function described(change: Change): string {
  const named = 'policy' in change ? change.policy : change;
  const name = 'name' in named ? named.name : 'source' in named ? named.source : undefined;
  const of = 'user' in change ? ` of the user '${change.user}'` : '';
  const where = 'vhost' in change ? ` of the virtual host '${change.vhost}'` : '';
  return `the ${change.op}${name === undefined ? '' : ` '${name}'`}${of}${where}`;
}

function declare(into: Restored, change: Change): void {
  switch (change.op) {
    case 'vhost':
      into.vhost(change.vhost);
      break;
    case 'exchange': {
      const { name, type, autoDelete, internal, args } = change;
      const settings = { type, durable: true, autoDelete, internal, arguments: table(args) };
      into.vhost(change.vhost).exchanges.restore(name, settings);
      break;
    }
    case 'queue':
      into.vhost(change.vhost).restoreQueue(change.name, change.autoDelete, table(change.args));
      break;
    case 'binding': {
      const { source, kind, destination, key, args } = change;
      into.vhost(change.vhost).restoreBinding(source, kind, destination, key, table(args));
      break;
    }
    case 'policy':
      into.policy(change.vhost, change.kind, change.policy);
      break;
    case 'user':
    case 'permission':
    case 'topic-permission':
      into.access(change);
      break;
    default:
    // What is gone is not in the state of a topology.
  }
}

function table(args: string): Table {
  return decodeTable(Buffer.from(args, 'base64'));
}
