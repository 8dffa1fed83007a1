// Bodies of messages in JSON: as text where they are text, else in base64.
import { badRequest } from '../model/refusal.js';

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
