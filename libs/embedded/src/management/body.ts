// The body of a request: read up to a bound, and JSON or nothing.
import type { IncomingMessage } from 'node:http';
import { badRequest } from '../model/refusal.js';
import type { Body } from './call.js';

/** Largest body in bytes: a message of the largest size in base64 still fits. */
export const MAX_BODY = 24 * 1024 * 1024;

/** The client disconnected, or sent too much. */
export class BodyError extends Error {
  constructor(readonly reason: 'too large' | 'gone') {
    super(reason);
  }
}

/** Rejects with a BodyError, or with a Refusal when it is not a JSON object. */
export async function readBody(request: IncomingMessage): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) throw new BodyError('too large');
  const bytes = await received(request);
  if (bytes.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw badRequest('not_json');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Body;
  throw badRequest('not_json');
}

function received(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    request.on('data', (part: Buffer) => {
      size += part.length;
      if (size > MAX_BODY) {
        request.pause();
        reject(new BodyError('too large'));
      } else parts.push(part);
    });
    request.on('end', () => resolve(Buffer.concat(parts)));
    request.on('close', () => reject(new BodyError('gone')));
    request.on('error', () => reject(new BodyError('gone')));
  });
}
