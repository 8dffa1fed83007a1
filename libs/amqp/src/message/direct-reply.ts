// Addresses of RabbitMQ's direct reply-to. A request names the address of its answer itself, and RabbitMQ before 4.3 does
// not bear every one of them: an address that is not well formed, or leads to a node or process that is not there, closes
// the connection that publishes to it (541, RabbitMQ 3), or holds up its channel for seconds while a node is looked for
// (4.0 to 4.2).

const PREFIX = 'amq.rabbitmq.reply-to';

/** What a broker says it is. */
export interface Server {
  readonly product: string;
  /** Major and minor version; [0, 0] when they cannot be read. */
  readonly version: readonly [number, number];
}

/** Of a connection that was never open. */
export const NO_SERVER: Server = { product: '', version: [0, 0] };

/** From the properties with which a broker greets. */
export function serverOf(
  properties: { readonly product?: unknown; readonly version?: unknown } = {},
): Server {
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)/.exec(String(properties.version)) ?? [];
  return { product: String(properties.product), version: [Number(major), Number(minor)] };
}

/** Whether it is, or pretends to be, an address of direct reply-to: one that is no queue. */
export function isDirectReply(replyTo: string): boolean {
  return replyTo.startsWith(PREFIX);
}

/**
 * Whether this broker could have made it. RabbitMQ's are `amq.rabbitmq.reply-to.<process>.<key>`, both in base64; those of
 * other brokers are their own affair, and the embedded one bears any.
 */
export function isWellFormed(replyTo: string, { product }: Server): boolean {
  if (product === 'RabbitMQ') return isRabbit(replyTo);
  return replyTo.length > PREFIX.length + 1;
}

/** Whether a direct address that is well formed may hurt a broker all the same: one that was answered before does not. */
export function mayBeHurt({ product, version: [major, minor] }: Server): boolean {
  return product === 'RabbitMQ' && (major < 4 || (major === 4 && minor < 3));
}

// Erlang's external form of a process, as RabbitMQ writes it since 3.9: version 131, tag 88, the name `reply@<hash>` as an
// atom of tag 118 with two bytes of length, and three numbers of 32 bits. The hash of a node's name has 27 bits, a process
// has 28 and 13. Then a key of 16 bytes.
const FORM = /^amq\.rabbitmq\.reply-to\.([A-Za-z0-9+/]{30,60}={0,2})\.[A-Za-z0-9+/]{21}[AQgw]==$/;
const HASH = /^reply@(0|[1-9]\d{0,8})$/;
const [HEAD, NUMBERS] = [5, 12];

function isRabbit(replyTo: string): boolean {
  const encoded = FORM.exec(replyTo)?.[1];
  if (encoded === undefined) return false;
  const bytes = Buffer.from(encoded, 'base64');
  const end = bytes.length - NUMBERS;
  if (bytes.toString('base64') !== encoded || bytes.readUIntBE(0, 3) !== 0x835876) return false;
  if (bytes.readUInt16BE(3) !== end - HEAD) return false;
  const hash = HASH.exec(bytes.toString('latin1', HEAD, end))?.[1];
  if (hash === undefined || Number(hash) >= 2 ** 27) return false;
  return bytes.readUInt32BE(end) < 2 ** 28 && bytes.readUInt32BE(end + 4) < 2 ** 13;
}
