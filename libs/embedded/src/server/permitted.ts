// Checks permissions, with RabbitMQ's refusals. They are looked up for each operation, so changes apply at once.
import type { Exchange } from '../model/exchange.js';
import { called, refused, type ResourceKind } from '../model/failure.js';
import type { AccessKind, Grants } from '../model/grants.js';
import type { VersionTraits } from '../model/version.js';

export class Permitted {
  constructor(
    private readonly grants: Grants,
    private readonly traits: VersionTraits,
  ) {}

  /** Throws 403 when the user lacks the permission for a queue or exchange. */
  require(kind: AccessKind, resource: ResourceKind, name: string): void {
    const shown = resource === 'exchange' && name === '' ? 'amq.default' : name;
    if (!this.grants.allows(kind, shown))
      throw this.refusal(kind, called(resource, shown, this.grants.vhost));
  }

  /** A passive declare asks for no certain permission; since 4.3 the user needs one of the three. */
  requireAny(resource: ResourceKind, name: string): void {
    if (!this.traits.guardsPassive) return;
    if (this.grants.allows('read', name) || this.grants.allows('write', name)) return;
    this.require('configure', resource, name);
  }

  /** Throws 403 when the routing key is not one that the user may use with this topic exchange. */
  requireTopic(kind: 'write' | 'read', exchange: Exchange | undefined, key: string): void {
    if (exchange?.settings.type !== 'topic' || this.grants.allowsTopic(kind, exchange.name, key)) return;
    const { vhost } = this.grants;
    throw this.refusal(kind, `topic '${key}' in exchange '${exchange.name}' in vhost '${vhost}'`);
  }

  /** What a binding needs: to write to where it ends, to read from where it starts. */
  requireBinding(kind: ResourceKind, destination: string, source: string): void {
    this.require('write', kind, destination);
    this.require('read', 'exchange', source);
  }

  private refusal(kind: AccessKind, thing: string): Error {
    const access = this.traits.namesPermission ? `${kind} access` : 'access';
    return refused(`${access} to ${thing} refused for user '${this.grants.user}'`);
  }
}
