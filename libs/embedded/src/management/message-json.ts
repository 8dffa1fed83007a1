// Messages in the words of the management API, and back: properties, and bodies as text where they are text, else in
// base64.
import { badRequest } from '../model/refusal.js';
import { Cursor } from '../wire/cursor.js';
import { decodeTable, encodeTable } from '../wire/field-table.js';
import { fromTable, type Plain, toTable } from '../wire/plain.js';
import {
  joinProperties,
  type PropertyName,
  splitProperties,
  tableProperty,
  textProperty,
} from '../wire/properties.js';
import { type Body, objectOf } from './call.js';

const TEXTS: Readonly<Record<string, PropertyName>> = {
  content_type: 'contentType',
  content_encoding: 'contentEncoding',
  correlation_id: 'correlationId',
  reply_to: 'replyTo',
  expiration: 'expiration',
  message_id: 'messageId',
  type: 'type',
  user_id: 'userId',
  app_id: 'appId',
  cluster_id: 'clusterId',
};
const OCTETS: Readonly<Record<string, PropertyName>> = {
  delivery_mode: 'deliveryMode',
  priority: 'priority',
};

/** Properties as bytes; what is no property is left out. Throws a Refusal for a wrong value. */
export function propertiesFrom(body: Body): Buffer {
  const found = new Map<PropertyName, Buffer>();
  for (const [name, value] of Object.entries(body)) {
    if (Object.hasOwn(TEXTS, name)) found.set(TEXTS[name], textProperty(text(name, value)));
    else if (Object.hasOwn(OCTETS, name)) found.set(OCTETS[name], Buffer.from([whole(name, value, 255)]));
    else if (name === 'headers') {
      found.set('headers', tableProperty(encodeTable(toTable(objectOf(body, 'headers')))));
    } else if (name === 'timestamp')
      found.set('timestamp', seconds(whole(name, value, Number.MAX_SAFE_INTEGER)));
  }
  return joinProperties(found);
}

/** RabbitMQ shows no properties at all as an empty list. */
export function propertiesAsJson(raw: Buffer): object {
  const properties = splitProperties(raw);
  const shown: Record<string, unknown> = {};
  for (const [name, property] of [...Object.entries(TEXTS), ...Object.entries(OCTETS)]) {
    const bytes = properties.get(property);
    if (bytes) shown[name] = Object.hasOwn(TEXTS, name) ? new Cursor(bytes).looseShortstr() : bytes[0];
  }
  const timestamp = properties.get('timestamp');
  if (timestamp) shown.timestamp = Number(timestamp.readBigUInt64BE(0));
  const headers = properties.get('headers');
  if (headers) shown.headers = fromTable(decodeTable(headers.subarray(4)));
  return Object.keys(shown).length === 0 ? [] : shown;
}

function text(name: string, value: Plain): string {
  if (typeof value === 'string') return value;
  throw badRequest(`not_string: ${name}`);
}

function whole(name: string, value: Plain, most: number): number {
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most) return Number(value);
  throw badRequest(`not_int: ${name}`);
}

function seconds(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

export function isText(bytes: Buffer): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Throws a Refusal for an unknown encoding, or what is not base64. */
export function payloadFrom(text: string, encoding: string): Buffer {
  if (encoding === 'string') return Buffer.from(text, 'utf8');
  if (encoding !== 'base64') throw badRequest(`unsupported_encoding: ${encoding}`);
  const bytes = Buffer.from(text, 'base64');
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0) return bytes;
  throw badRequest('not_base64');
}
