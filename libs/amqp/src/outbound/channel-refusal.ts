// The broker answers a publish that it does not want by closing the channel, with a sentence that names the exchange.
// Only who published there is to blame; all others in doubt on that channel can be sent again.

import type { RabbitError } from '../model/errors.js';
import type { OutgoingMessage } from '../model/message.js';
import { AccessRefusedError } from '../model/topology-errors.js';

/** Why the broker closed a channel, as far as one exchange is to blame. */
export interface ChannelRefusal {
  readonly exchange: string;
  /** With permissions by topic, the one key that was refused. */
  readonly topic: string | undefined;
  /** For those to blame. Undefined when the exchange is gone: what was sent before that may have arrived. */
  readonly error: RabbitError | undefined;
}

const FORBIDDEN =
  /access to (?:topic '(?<topic>.*)' in )?exchange '(?<exchange>[^']*)' in vhost|publish to internal exchange '(?<internal>[^']*)' in vhost/;
const MISSING = /no exchange '(?<exchange>[^']*)' in vhost/;

/** Reads the reason of a channel's end; nothing when it says nothing about an exchange. */
export function channelRefusal(reason: string): ChannelRefusal | undefined {
  const forbidden = FORBIDDEN.exec(reason)?.groups;
  if (forbidden) {
    const { topic } = forbidden;
    const exchange = forbidden.exchange ?? forbidden.internal;
    const what = topic === undefined ? `exchange '${exchange}'` : `key '${topic}' of exchange '${exchange}'`;
    const cause = new Error(reason);
    return { exchange, topic, error: new AccessRefusedError(what, 'a publish', cause) };
  }
  const missing = MISSING.exec(reason)?.groups;
  return missing && { exchange: missing.exchange, topic: undefined, error: undefined };
}

/** Whether a message that was in doubt then is among those to blame. */
export function isToBlame({ exchange, topic }: ChannelRefusal, message: OutgoingMessage): boolean {
  return message.exchange === exchange && (topic === undefined || message.routingKey === topic);
}
