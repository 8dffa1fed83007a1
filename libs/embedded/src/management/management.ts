// What the handlers of the management API work with: the broker's administration, rates, and who may see what.
import type { User } from '../model/access.js';
import { Refusal } from '../model/refusal.js';
import type { VirtualHost } from '../model/virtual-host.js';
import type { Administration } from '../server/administration.js';
import type { Connection } from '../server/connection.js';
import { Permitted } from '../server/permitted.js';
import type { Rates } from './rates.js';

/** How the one node of the broker is called. */
export const NODE = 'embedded@localhost';

/** Where the broker listens. */
export interface Ports {
  readonly host: string;
  readonly amqp: number;
  readonly http: number;
}

export class Management {
  constructor(
    readonly administration: Administration,
    readonly rates: Rates,
    readonly ports: Ports,
  ) {}

  get context(): Administration['context'] {
    return this.administration.context;
  }

  /** Connections that are open, of one virtual host if it is named, and for those who may only see their own, of the user. */
  connections(user: User, vhost?: string): Connection[] {
    const all = isMonitor(user);
    return [...this.administration.connections].filter(({ open, agreed }) => {
      if (!open || !agreed || (vhost !== undefined && agreed.vhost.name !== vhost)) return false;
      return all || agreed.user === user.name;
    });
  }

  /** The virtual host; undefined when there is none. Throws a Refusal when the user has no access to it, which 4 hides. */
  vhost(user: User, name: string): VirtualHost | undefined {
    const vhost = this.context.vhosts.get(name);
    if (!vhost || this.mayUse(user, name)) return vhost;
    if (this.context.traits.comparesTypes) throw new Refusal('not_found', 'Not Found');
    throw new Refusal('not_authorised', 'User not authorised to access virtual host');
  }

  /** Virtual hosts in which the user has permissions, or the one that is named. */
  vhosts(user: User, name: string | undefined): VirtualHost[] {
    return [...this.context.vhosts.values()].filter(
      (vhost) => (name === undefined || vhost.name === name) && this.mayUse(user, vhost.name),
    );
  }

  mayUse(user: User, vhost: string): boolean {
    return this.context.access.grants(user.name, vhost).permissions !== undefined;
  }

  /** What the user may do in a virtual host; the same as over AMQP. */
  permitted(user: User, vhost: string): Permitted {
    return new Permitted(this.context.access.grants(user.name, vhost), this.context.traits);
  }
}

export function isAdministrator({ tags }: User): boolean {
  return tags.includes('administrator');
}

export function isMonitor(user: User): boolean {
  return user.tags.includes('monitoring') || isAdministrator(user);
}

export function isPolicymaker(user: User): boolean {
  return user.tags.includes('policymaker') || isAdministrator(user);
}

/** Whether the user may use the management API at all. */
export function isManager({ tags }: User): boolean {
  return ['management', 'policymaker', 'monitoring', 'administrator'].some((tag) => tags.includes(tag));
}
