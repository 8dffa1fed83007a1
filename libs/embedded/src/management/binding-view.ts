// Bindings as the management API shows them, those to the default exchange included, which every queue has.
import { createHash } from 'node:crypto';
import type { Binding } from '../model/exchange.js';
import { canonicalTable } from '../model/canonical.js';
import type { ResourceKind } from '../model/failure.js';
import type { VirtualHost } from '../model/virtual-host.js';
import type { Table } from '../wire/field-table.js';
import { fromTable } from '../wire/plain.js';

export interface BindingView extends Readonly<Record<string, unknown>> {
  readonly source: string;
  readonly vhost: string;
  readonly destination: string;
  readonly destination_type: ResourceKind;
  readonly routing_key: string;
  /** What names it among the bindings of its two ends. */
  readonly properties_key: string;
}

/** All bindings of a virtual host: the default ones first. */
export function bindingViews(vhost: VirtualHost): BindingView[] {
  const defaults = [...vhost.allQueues()].map(({ name }) => view(vhost, '', 'queue', name, name));
  const others = [...vhost.exchanges.all()].flatMap(({ bindings }) =>
    [...bindings.values()].map((binding) => bindingView(vhost, binding)),
  );
  return [...defaults, ...others];
}

function bindingView(vhost: VirtualHost, binding: Binding): BindingView {
  const { source, destination, key } = binding;
  return view(vhost, source.name, destination.kind, destination.name, key, binding.arguments);
}

function view(
  { name: vhost }: VirtualHost,
  source: string,
  kind: ResourceKind,
  destination: string,
  key: string,
  table: Table = new Map(),
): BindingView {
  return {
    source,
    vhost,
    destination,
    destination_type: kind,
    routing_key: key,
    arguments: fromTable(table),
    properties_key: propertiesKey(key, table),
  };
}

/** The routing key as a form has it, and a short hash of the arguments; `~` stands for nothing at all. */
export function propertiesKey(key: string, table: Table): string {
  if (table.size === 0) return key === '' ? '~' : quoted(key);
  const hash = createHash('sha256').update(canonicalTable(table)).digest('base64url').slice(0, 8);
  return `${quoted(key)}~${hash}`;
}

function quoted(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*~]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
