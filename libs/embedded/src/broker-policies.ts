// Policies and operator policies, changed while the broker runs.
import type { PolicyDefinition, PolicyTarget } from './model/policy.js';
import type { AdminCommand } from './server/administration.js';

/** A policy as the owner of a broker writes it. */
export interface BrokerPolicy {
  /** Its name in its virtual host; one of that name is replaced. */
  readonly name: string;
  /** Regular expression for the names of queues and exchanges, matched anywhere in them. */
  readonly pattern: string;
  /** Settings with RabbitMQ's names: `{ 'message-ttl': 1000 }`. */
  readonly definition: PolicyDefinition;
  /** What it is for. Default `'all'`. */
  readonly applyTo?: PolicyTarget;
  /** Of several that match, the highest applies. Default 0. */
  readonly priority?: number;
  /** Virtual host. Default `/`. */
  readonly vhost?: string;
  /** Whether it is an operator policy, which is laid over the others. Default false. */
  readonly operator?: boolean;
}

type Perform = (command: AdminCommand) => Promise<unknown>;

/** The policies of an embedded broker. They apply at once, also to existing queues and exchanges. */
export class BrokerPolicies {
  readonly #perform: Perform;

  /** Made by `EmbeddedBroker`. */
  constructor(perform: Perform) {
    this.#perform = perform;
  }

  /** Adds or replaces a policy. Rejects for what RabbitMQ would not take, in its words. */
  async set(policy: BrokerPolicy): Promise<void> {
    const {
      vhost = '/',
      operator = false,
      name,
      pattern,
      definition,
      applyTo = 'all',
      priority = 0,
    } = policy;
    const kind = operator ? 'operator_policy' : 'policy';
    const args: Extract<AdminCommand, { method: 'setPolicy' }>['args'] = [
      vhost,
      kind,
      { name, pattern, applyTo, priority, definition },
    ];
    await this.#perform({ kind: 'admin', method: 'setPolicy', args });
  }

  /** Removes a policy; the next one that matches applies instead. Rejects when it does not exist. */
  async delete(name: string, { vhost = '/', operator = false } = {}): Promise<void> {
    const kind = operator ? 'operator_policy' : 'policy';
    await this.#perform({ kind: 'admin', method: 'deletePolicy', args: [vhost, kind, name] });
  }
}
