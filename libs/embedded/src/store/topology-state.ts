// The durable queues, exchanges and bindings, as the changes in the log leave them.
import type { BindingChange, Change } from '../model/journal.js';

export class TopologyState {
  private kept = new Map<string, Change>();

  /** In the order in which they were made. */
  get all(): readonly Change[] {
    return [...this.kept.values()];
  }

  /** Begins anew with these. */
  reset(changes: readonly Change[]): void {
    this.kept.clear();
    for (const change of changes) this.apply(change);
  }

  apply(change: Change): void {
    const key = keyOf(change);
    if (!change.op.endsWith('-gone')) {
      this.kept.set(key, change);
      return;
    }
    this.kept.delete(key);
    if (change.op !== 'binding-gone') this.forget(change);
  }

  /** What is gone takes with it what is in it and what is bound to it. */
  private forget(gone: Change): void {
    for (const [key, each] of this.kept) {
      if (each.vhost !== gone.vhost) continue;
      if (gone.op === 'vhost-gone' || (each.op === 'binding' && touches(each, gone))) this.kept.delete(key);
    }
  }
}

function touches(binding: BindingChange, gone: Change): boolean {
  if (gone.op === 'queue-gone') return binding.kind === 'queue' && binding.destination === gone.name;
  if (gone.op !== 'exchange-gone') return false;
  return binding.source === gone.name || (binding.kind === 'exchange' && binding.destination === gone.name);
}

function keyOf(change: Change): string {
  const op = change.op.replace('-gone', '');
  if (change.op === 'binding' || change.op === 'binding-gone') {
    const { vhost, source, kind, destination, key, args } = change;
    return JSON.stringify([op, vhost, source, kind, destination, key, args]);
  }
  return JSON.stringify([op, change.vhost, 'name' in change ? change.name : '']);
}
