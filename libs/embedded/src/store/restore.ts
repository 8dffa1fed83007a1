// Puts what was in the folder back where it was: virtual hosts first, then exchanges, queues and bindings, then messages.
import type { Change } from '../model/journal.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { decodeTable, type Table } from '../wire/field-table.js';
import type { DiskJournal, DiskLogger } from './disk-journal.js';

const ORDER = ['vhost', 'exchange', 'queue', 'binding'];

/** Fills the virtual hosts; `vhost` makes one that is not there. What the broker no longer accepts is said and left out. */
export function restore(
  journal: DiskJournal,
  vhost: (name: string) => VirtualHost,
  logger: DiskLogger,
): void {
  const since = new Map<string, number>();
  const ordered = ORDER.flatMap((op) => journal.topology.all.filter((change) => change.op === op));
  for (const change of ordered) {
    try {
      declare(vhost(change.vhost), change);
      if ('since' in change) since.set(keyOf(change.op, change.vhost, change.name), change.since ?? 0);
    } catch (error) {
      journal.topology.apply({ ...change, op: `${change.op}-gone` } as Change);
      const name = 'name' in change ? ` '${change.name}'` : '';
      logger.warn(`the ${change.op}${name} in '${change.vhost}' cannot be restored: ${String(error)}`);
    }
  }
  let count = 0;
  for (const { entry, message } of journal.found()) {
    const { kind, vhost: host, name } = entry.place;
    const begin = since.get(keyOf(kind, host, name));
    if (begin !== undefined && entry.id > begin) {
      vhost(host).restore(entry.place, message, entry.at, entry.id);
      count += 1;
    } else journal.drop(entry.id);
  }
  for (const name of new Set(ordered.map((change) => change.vhost))) vhost(name).restored();
  if (count > 0) logger.log(`${count} messages were restored`);
}

const keyOf = (kind: string, vhost: string, name: string): string => JSON.stringify([kind, vhost, name]);

function declare(vhost: VirtualHost, change: Change): void {
  if (change.op === 'exchange') {
    const { name, type, autoDelete, internal, args } = change;
    vhost.exchanges.restore(name, { type, durable: true, autoDelete, internal, arguments: table(args) });
  } else if (change.op === 'queue') {
    vhost.restoreQueue(change.name, change.autoDelete, table(change.args));
  } else if (change.op === 'binding') {
    vhost.restoreBinding(change.source, change.kind, change.destination, change.key, table(change.args));
  }
}

function table(args: string): Table {
  return decodeTable(Buffer.from(args, 'base64'));
}
