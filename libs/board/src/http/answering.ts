// Express and Fastify, as far as the board needs them: a response with a body, and one that goes on.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { BoardError } from '../errors.js';
import type { BoardRequest } from '../options.js';

/** A response of Fastify has the one of Node inside; that of Express is one. */
interface FastifyReply {
  readonly raw: ServerResponse;
  hijack(): unknown;
  code(status: number): FastifyReply;
  headers(headers: Readonly<Record<string, string>>): FastifyReply;
  send(body: string | Buffer): unknown;
}

/** What Nest gives as response. */
export type PlatformResponse = ServerResponse | FastifyReply;

const isFastify = (response: PlatformResponse): response is FastifyReply => 'hijack' in response;

/**
 * In every response. Nothing may be loaded from elsewhere, nothing inline runs, no other page may frame this one. The last two keep
 * what an application allows to other origins (CORS) away from here.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

/** Answers with a body. */
export function send(
  response: PlatformResponse,
  status: number,
  type: string,
  body: string | Buffer,
  cache = 'no-store',
): void {
  const headers = { ...HEADERS, 'content-type': type, 'cache-control': cache };
  if (isFastify(response)) {
    withoutCors(response.raw);
    response.code(status).headers(headers).send(body);
    return;
  }
  withoutCors(response);
  if (status === 413) response.shouldKeepAlive = false;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Answers with JSON. */
export function sendJson(response: PlatformResponse, status: number, value: unknown): void {
  send(response, status, 'application/json; charset=utf-8', JSON.stringify(value));
}

/** Begins an answer that goes on: server-sent events. */
export function openStream(response: PlatformResponse): ServerResponse {
  if (isFastify(response)) response.hijack();
  const raw = isFastify(response) ? response.raw : response;
  withoutCors(raw);
  raw.writeHead(200, {
    ...HEADERS,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies would keep what is small.
    'x-accel-buffering': 'no',
  });
  raw.flushHeaders();
  return raw;
}

function withoutCors(raw: ServerResponse): void {
  for (const name of raw.getHeaderNames()) if (name.startsWith('access-control-')) raw.removeHeader(name);
}

/** The body of an act, at most 1 MB. */
const MOST_BYTES = 1_000_000;

/** The parsed body; read here when the application has no parser. */
export async function jsonBody(request: BoardRequest): Promise<unknown> {
  const { body } = request;
  if (body !== undefined && body !== null) return body;
  const parts = await read(rawRequest(request));
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new BoardError('BAD_REQUEST', 'the body is no JSON');
  }
}

/** Stops at the limit, and leaves the rest unread: the connection ends with the answer. */
function read(raw: IncomingMessage): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    raw.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= MOST_BYTES) return void parts.push(part);
      raw.pause();
      raw.removeAllListeners('data');
      reject(new BoardError('TOO_LARGE', 'the body of an act has at most 1 MB'));
    });
    raw.on('end', () => resolve(parts));
    raw.on('error', reject);
  });
}

/** Node's request: that of Fastify has it inside. */
export function rawRequest(request: BoardRequest): IncomingMessage {
  return (request.raw ?? request) as IncomingMessage;
}

/** A header with one value. */
export function header(request: BoardRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
