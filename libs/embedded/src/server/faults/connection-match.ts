// Which connections a fault is for.
import type { Connection } from '../connection.js';

/** Connections by what their clients said when they connected; all that is given must fit. Default: all connections. */
export interface ConnectionMatch {
  /** Name that the client gave the connection (`connection_name`), whole or as a pattern. */
  readonly name?: string | RegExp;
  /** Name of the user. */
  readonly user?: string;
  /** Virtual host. */
  readonly vhost?: string;
}

export function isMeant({ name, user, vhost }: ConnectionMatch, { agreed }: Connection): boolean {
  if (name === undefined && user === undefined && vhost === undefined) return true;
  if (!agreed || (user !== undefined && agreed.user !== user)) return false;
  if (vhost !== undefined && agreed.vhost.name !== vhost) return false;
  if (name === undefined) return true;
  const given = agreed.clientProperties.get('connection_name');
  const text = given?.type === 'longstr' ? given.value : '';
  return typeof name === 'string'
    ? text === name
    : new RegExp(name.source, name.flags.replace(/[gy]/g, '')).test(text);
}
