// The words for what travels: a received message as the wire gave it, and an outgoing one as the wire
// will get it. Plain data; no channel in sight.

/** Header values AMQP can carry. `undefined` entries are left out when sending. */
export type Headers = Readonly<Record<string, unknown>>;

/** AMQP's basic properties, with the names amqplib uses. */
export interface MessageProperties {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly headers?: Headers;
  readonly deliveryMode?: number;
  readonly priority?: number;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly expiration?: string;
  readonly messageId?: string;
  readonly timestamp?: number;
  readonly type?: string;
  readonly userId?: string;
  readonly appId?: string;
}

/** A message as received from the broker. */
export interface ReceivedMessage {
  readonly content: Buffer;
  readonly exchange: string;
  readonly routingKey: string;
  /** Whether the broker delivered it before, to any consumer. */
  readonly redelivered: boolean;
  readonly deliveryTag: number;
  readonly properties: MessageProperties;
}

/** The body of a message that leaves: bytes, or a text whose UTF-8 is written straight into the frame. */
export type Body = Buffer | string;

/** How many bytes it has. */
export function bodySize(body: Body): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}

/** As bytes. */
export function bodyBytes(body: Body): Buffer {
  return typeof body === 'string' ? Buffer.from(body) : body;
}

/** A message ready to be sent. `headers` are checked, `content` is encoded. */
export interface OutgoingMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Body;
  readonly properties: MessageProperties;
  readonly mandatory: boolean;
}
