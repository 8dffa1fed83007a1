// The durable queues, exchanges and bindings, and users, permissions and policies, as the changes in the log leave them.
import type { BindingChange, Change } from '../model/journal.js';

/** What takes others along when it goes. */
const HOLDS = new Set<Change['op']>(['vhost-gone', 'user-gone', 'exchange-gone', 'queue-gone']);

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
    if (HOLDS.has(change.op)) this.forget(change);
  }

  /** What is gone takes with it what is in it, what is bound to it and what was permitted. */
  private forget(gone: Change): void {
    for (const [key, each] of this.kept) if (belongsTo(each, gone)) this.kept.delete(key);
  }
}

function belongsTo(change: Change, gone: Change): boolean {
  if (gone.op === 'user-gone') return 'user' in change && change.user === gone.user;
  if (!('vhost' in change && 'vhost' in gone) || change.vhost !== gone.vhost) return false;
  return gone.op === 'vhost-gone' || (change.op === 'binding' && touches(change, gone));
}

function touches(binding: BindingChange, gone: Change): boolean {
  if (gone.op === 'queue-gone') return binding.kind === 'queue' && binding.destination === gone.name;
  if (gone.op !== 'exchange-gone') return false;
  return binding.source === gone.name || (binding.kind === 'exchange' && binding.destination === gone.name);
}

/** What a change is about: a later one with the same key takes its place. */
function keyOf(change: Change): string {
  const op = change.op.replace('-gone', '');
  const vhost = 'vhost' in change ? change.vhost : '';
  return JSON.stringify([op, vhost, ...nameOf(change)]);
}

function nameOf(change: Change): readonly string[] {
  switch (change.op) {
    case 'binding':
    case 'binding-gone': {
      const { source, kind, destination, key, args } = change;
      return [source, kind, destination, key, args];
    }
    case 'topic-permission':
    case 'topic-permission-gone':
      return [change.user, change.exchange];
    case 'policy':
      return [change.kind, change.policy.name];
    case 'policy-gone':
      return [change.kind, change.name];
    default:
      return 'user' in change ? [change.user] : 'name' in change ? [change.name] : [];
  }
}
