// A binding as a value: from an exchange to a queue or another exchange, with a key and arguments.
// Two bindings are the same when all of that is the same, whatever order the arguments came in.
import type { Table } from '../wire/field-table.js';
import { canonicalTable } from './canonical.js';
import type { Exchange } from './exchange.js';
import type { Queue } from './queue.js';

export type Destination = Queue | Exchange;

export interface Binding {
  readonly id: string;
  readonly source: Exchange;
  readonly destination: Destination;
  readonly key: string;
  readonly arguments: Table;
}

export function binding(source: Exchange, destination: Destination, key: string, table: Table): Binding {
  const id = JSON.stringify([destination.kind, destination.name, key, canonicalTable(table)]);
  return { id, source, destination, key, arguments: table };
}
