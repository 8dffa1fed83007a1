// Refused declarations: it exists with other arguments, does not exist, is forbidden, or is locked. Each error names
// what declared it.

import { RabbitError } from './errors.js';

/** A queue or exchange exists with other properties, and AMQP cannot change them. */
export class TopologyMismatchError extends RabbitError {
  constructor(readonly facts: TopologyMismatch) {
    super(
      'WARREN_TOPOLOGY_MISMATCH',
      `${facts.what} '${facts.name}' exists with ${facts.argument} = ${facts.current}, but ${facts.declaredBy} wants ${facts.wanted}`,
      whatHelps(facts),
    );
  }
}

function whatHelps({ what, name, argument, declaredBy }: TopologyMismatch): string {
  const byHand = `delete the ${what} by hand when it is empty`;
  // One of Warren's own: no handler option sets its arguments, and `declare` concerns the handler's own queue.
  if (name.startsWith('warren.')) return `${byHand}; it is declared again`;
  if (what === 'queue' && name.endsWith('.dead')) {
    return `${byHand}, and it is declared again; or use deadLetter: false`;
  }
  if (argument.startsWith('x-dead-letter-') || argument === 'x-overflow') {
    return `give ${declaredBy} the same arguments, ${byHand}, or use declare: 'check' to use it as it is`;
  }
  return `change ${declaredBy} to match, ${byHand}, or use declare: 'check' to use it as it is`;
}

/** The two sides of a mismatch. Values as the broker wrote them. */
export interface TopologyMismatch {
  readonly what: 'queue' | 'exchange';
  readonly name: string;
  readonly argument: string;
  readonly current: string;
  readonly wanted: string;
  /** The handler or module that asked for it. */
  readonly declaredBy: string;
}

/** A publisher can only name an exchange; a handler can have it declared. */
const PUBLISHER = 'a publish';

function missingHint(what: 'queue' | 'exchange', declaredBy: string): string {
  const start = 'or start the application that declares it';
  if (what === 'queue') return `have it declared (declare: 'create', the default), ${start}`;
  if (declaredBy === PUBLISHER)
    return `check its name; list it among the exchanges of forFeature() or declare() to have it declared, ${start}`;
  return `give it as { name, type } without declare to have it declared, ${start}`;
}

/** A queue or exchange that must exist (`declare: 'check'`, or an exchange given by name) does not exist. */
export class TopologyMissingError extends RabbitError {
  constructor(
    readonly what: 'queue' | 'exchange',
    readonly missing: string,
    declaredBy: string,
  ) {
    super(
      'WARREN_TOPOLOGY_MISSING',
      `there is no ${what} '${missing}', which ${declaredBy} needs`,
      missingHint(what, declaredBy),
    );
  }
}

/** The user lacks a permission on the broker (403). The message names the resource. */
export class AccessRefusedError extends RabbitError {
  /** What the user lacks; undefined when the broker did not say. */
  readonly permission: Permission | undefined;
  /** What was being declared when that needed another resource: `queue 'orders'`, for its dead-letter exchange. */
  readonly declaring: string | undefined;

  constructor(
    /** `queue 'orders'`. */
    readonly resource: string,
    declaredBy: string,
    cause?: unknown,
    facts: { readonly permission?: Permission; readonly declaring?: string } = {},
  ) {
    const { permission, declaring } = facts;
    const access = permission ? `${permission} access` : 'access';
    const needed = declaring === undefined ? '' : `, which ${declaring} needs`;
    super(
      'WARREN_ACCESS_REFUSED',
      `the broker refuses ${declaredBy} ${access} to ${resource}${needed}`,
      permission
        ? `grant the user the ${permission} permission on it (rabbitmqctl ${commandFor(resource)})`
        : 'grant the user configure, write and read permissions on it (rabbitmqctl set_permissions)',
      cause,
    );
    this.permission = permission;
    this.declaring = declaring;
  }
}

function commandFor(resource: string): string {
  return /^key /.test(resource) ? 'set_topic_permissions' : 'set_permissions';
}

/** The three permissions of RabbitMQ. */
export type Permission = 'configure' | 'write' | 'read';

/** The queue is exclusive to another connection (405). Warren tries again: it may be an old connection of this process. */
export class QueueLockedError extends RabbitError {
  constructor(
    readonly queue: string,
    cause?: unknown,
  ) {
    super(
      'WARREN_QUEUE_LOCKED',
      `queue '${queue}' is exclusive to another connection`,
      'Warren keeps trying; close the other connection if it stays',
      cause,
    );
  }
}
