// An error of a client in AMQP's terms: a reply code and a text. The code decides whether the channel or the
// whole connection ends. Texts have RabbitMQ's shape, because clients and people match on them.

const REPLY_NAMES: Readonly<Record<number, string>> = {
  311: 'CONTENT_TOO_LARGE',
  320: 'CONNECTION_FORCED',
  403: 'ACCESS_REFUSED',
  404: 'NOT_FOUND',
  405: 'RESOURCE_LOCKED',
  406: 'PRECONDITION_FAILED',
  501: 'FRAME_ERROR',
  502: 'SYNTAX_ERROR',
  503: 'COMMAND_INVALID',
  504: 'CHANNEL_ERROR',
  505: 'UNEXPECTED_FRAME',
  506: 'RESOURCE_ERROR',
  530: 'NOT_ALLOWED',
  540: 'NOT_IMPLEMENTED',
  541: 'INTERNAL_ERROR',
};

/** Thrown by whatever refuses a method; ends a channel (4xx, 311) or the connection (the rest). */
export class AmqpFailure extends Error {
  override readonly name = 'AmqpFailure';
  /** Whether this ends the whole connection. */
  readonly hard: boolean;

  constructor(
    /** AMQP reply code. */
    readonly code: number,
    text: string,
    /** The rare codes that can mean either, such as 403 at login. */
    hard: boolean = code >= 500 || code === 320,
  ) {
    super(`${REPLY_NAMES[code] ?? 'INTERNAL_ERROR'} - ${text}`);
    this.hard = hard;
  }
}

export type ResourceKind = 'queue' | 'exchange';

/** How RabbitMQ names a thing in its texts. */
export function called(kind: ResourceKind, name: string, vhost: string): string {
  return `${kind} '${name}' in vhost '${vhost}'`;
}

export function notFound(kind: ResourceKind, name: string, vhost: string): AmqpFailure {
  return new AmqpFailure(404, `no ${called(kind, name, vhost)}`);
}

export function refused(text: string): AmqpFailure {
  return new AmqpFailure(403, text);
}

export function precondition(text: string): AmqpFailure {
  return new AmqpFailure(406, text);
}

/** basic.get of a quorum queue that only its single active consumer may read. */
export function notGot(name: string, vhost: string, quorum: string): AmqpFailure {
  return new AmqpFailure(
    405,
    `cannot obtain access to locked ${called('queue', name, vhost)}. basic.get operations are not supported by ` +
      `${quorum} queues with single active consumer`,
  );
}

export function locked(name: string, vhost: string): AmqpFailure {
  return new AmqpFailure(
    405,
    `cannot obtain exclusive access to locked ${called('queue', name, vhost)}. It could be originally declared on ` +
      'another connection or the exclusive property value does not match that of the original declaration.',
  );
}
