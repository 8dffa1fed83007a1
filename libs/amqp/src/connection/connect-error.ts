// Why a connection could not be opened, in one word and one sentence, from the many shapes in which
// sockets, TLS and the broker say no.

import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from './endpoints.js';
import { isError, ConnectionLostError, ConnectionRefusedError, RabbitError } from '../errors/errors.js';
import { replyCodeIn } from '../errors/error-facts.js';
import { QueueLockedError } from '../errors/topology-errors.js';

// Each is a class of methods and one of them.
// Why the broker does not open a virtual host, in its words: there is none, the user has no access, or a
// connection limit is reached, which passes. amqplib drops these words, so the handshake is made once more by
// hand.

const START_OK = [10, 11];
const TUNE_OK = [10, 31];
const OPEN = [10, 40];

interface Sasl {
  readonly mechanism: string;
  response(): Buffer;
}

/** Resolves with the broker's words; undefined when it opens after all, ends the socket, or `signal` aborts. */
export function openError(endpoint: Endpoint, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const { hostname, port, protocol, vhost } = endpoint.connect;
    const where = { ...endpoint.socket, host: hostname, port: Number(port) };
    const socket =
      protocol === 'amqps' ? connectTls({ servername: hostname, ...where }) : connectPlain(where);
    const ended = (words?: string): void => (socket.destroy(), resolve(words));
    signal.addEventListener('abort', () => ended(), { once: true });
    socket.on('error', () => ended()).on('close', () => ended());
    const sasl = endpoint.socket.credentials as Sasl;
    const hello = [short(sasl.mechanism), long(sasl.response()), short('en_US')];
    onMethods(socket, (method, payload) => {
      // start, tune, close; whatever else comes, the answer is not in it.
      if (method === 10) send(socket, START_OK, [Buffer.alloc(4), ...hello]);
      else if (method === 30) {
        send(socket, TUNE_OK, [payload.subarray(0, 8)]);
        send(socket, OPEN, [short(decodeURIComponent(vhost ?? '%2F')), short(''), Buffer.alloc(1)]);
      } else ended(method === 50 ? payload.toString('utf8', 3, 3 + payload[2]) : undefined);
    });
    socket.write('AMQP\0\0\x09\x01', 'latin1');
  });
}

/** Methods of the class connection, each with its arguments. */
function onMethods(socket: Socket, got: (method: number, payload: Buffer) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  socket.on('data', (more: Buffer) => {
    bytes = Buffer.concat([bytes, more]);
    for (;;) {
      const end = bytes.length < 7 ? Infinity : 8 + bytes.readUInt32BE(3);
      if (bytes.length < end) return;
      const payload = bytes.subarray(7, end - 1);
      bytes = bytes.subarray(end);
      got(payload.readUInt16BE(2), payload.subarray(4));
    }
  });
}

function send(socket: Socket, [klass, method]: readonly number[], fields: readonly Buffer[]): void {
  const size = 4 + fields.reduce((sum, field) => sum + field.length, 0);
  const head = Buffer.alloc(11);
  head[0] = 1;
  head.writeUInt32BE(size, 3);
  head.writeUInt16BE(klass, 7);
  head.writeUInt16BE(method, 9);
  socket.write(Buffer.concat([head, ...fields, Buffer.from([0xce])]));
}

function short(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function long(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** The error of a failed attempt as one of ours. `label` names the endpoint without its secrets. */
export function connectError(error: unknown, label: string): RabbitError {
  if (error instanceof RabbitError) return error;
  const text = isError(error) ? error.message : String(error);
  const given = (error as { code?: unknown } | undefined)?.code;
  return (
    fromBroker(text, label) ??
    fromSocket(typeof given === 'string' ? given : '', text, label) ??
    refused(
      'protocol',
      `${label} closed the connection during the handshake: ${text}`,
      'check that it is an AMQP 0-9-1 port',
    )
  );
}

/** What the broker answered, if it was the broker. */
function fromBroker(text: string, label: string): ConnectionRefusedError | undefined {
  const reply = replyCodeIn(text);
  if (/NOT_ALLOWED/.test(text) && /limit/i.test(text)) {
    return refused(
      'limit',
      `${label} has reached a limit: ${text}`,
      'Warren keeps trying; close connections or channels, or raise the limit',
    );
  }
  if (/ACCESS.REFUSED/.test(text) || reply === 403) {
    return /vhost|virtual host/i.test(text) && !/Login/i.test(text)
      ? refused(
          'vhost',
          `the user has no access to the virtual host of ${label}`,
          'grant it permissions there (rabbitmqctl set_permissions)',
        )
      : refused(
          'credentials',
          `${label} rejected the user name or password`,
          'check the URL or the option credentials',
        );
  }
  // The last step of the handshake only opens the virtual host; amqplib drops the broker's words there.
  if (
    /NOT_ALLOWED|vhost .* not found|Expected ConnectionOpenOk; got <ConnectionClose/i.test(text) ||
    reply === 530
  ) {
    return refused(
      'vhost',
      /not found|refused/.test(text)
        ? `${label} refused access to its virtual host: ${text}`
        : `${label} has no such virtual host, or the user has no access to it`,
      'create it (rabbitmqctl add_vhost), or grant the user permissions there (rabbitmqctl set_permissions)',
    );
  }
  return undefined;
}

/** What the socket or TLS reported. */
function fromSocket(code: string, text: string, label: string): ConnectionRefusedError | undefined {
  if (/^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_SSL|EPROTO)/.test(code)) {
    const hint = TLS_HINTS.find(([codes]) => codes.test(code))?.[1];
    return refused('tls', `TLS with ${label} failed: ${text}`, hint ?? 'check the option tls');
  }
  if (/ETIMEDOUT|timeout/i.test(`${code} ${text}`)) {
    return refused(
      'timeout',
      `${label} did not answer in time`,
      'check whether another program listens on that port, or a firewall blocks it',
    );
  }
  if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ECONNRESET|EPIPE)$/.test(code)) {
    const embedded = code === 'ECONNREFUSED' && process.env.NODE_ENV !== 'production';
    return refused(
      'host',
      `cannot reach ${label} (${code})`,
      `${HOST_HINTS[code]}${embedded ? "; to develop without RabbitMQ: npx warren-broker, or development: 'embedded' in forRoot (@warren/embedded)" : ''}`,
    );
  }
  return undefined;
}

/** What to do about the codes of TLS, by their beginnings. */
const TLS_HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /^ERR_TLS_CERT_ALTNAME/,
    'the certificate is for other host names: use one of them in the URL, or set tls: { servername }',
  ],
  [/^CERT_HAS_EXPIRED/, "the broker's certificate has expired: it needs a new one"],
  [/^CERT_NOT_YET_VALID/, 'the certificate is not valid yet: check the clock of this machine'],
  [
    /^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_)/,
    'no CA that this machine trusts signed the certificate: set its CA with tls: { ca }',
  ],
  [
    /^(EPROTO|ERR_SSL_(WRONG_VERSION|PACKET_LENGTH))/,
    'the port does not accept TLS, or rejects this client: amqps:// usually uses port 5671; check whether the broker requires a client certificate (tls: { cert, key })',
  ],
];

/** What each of the codes of a socket means. */
const HOST_HINTS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host name does not resolve: check its spelling and the DNS of this machine',
  EAI_AGAIN: 'the DNS server of this machine does not answer',
  EHOSTUNREACH: 'there is no network route to it from this machine',
  ENETUNREACH: 'there is no network route to it from this machine',
  ECONNREFUSED: 'nothing listens on that port: is RabbitMQ running there?',
  ECONNRESET: 'the port accepts connections and closes them: is RabbitMQ starting, or does it expect TLS?',
  EPIPE: 'the port accepts connections and closes them: is RabbitMQ starting, or does it expect TLS?',
};

function refused(
  reason: ConnectionRefusedError['reason'],
  message: string,
  hint: string,
): ConnectionRefusedError {
  return new ConnectionRefusedError(reason, message, hint);
}

/** Whether trying again without a person's help can succeed: a wrong password stays wrong. */
export function isPermanent(error: unknown): boolean {
  if (error instanceof ConnectionLostError || error instanceof QueueLockedError) return false;
  if (!(error instanceof ConnectionRefusedError)) return error instanceof RabbitError;
  return error.reason === 'credentials' || error.reason === 'vhost' || error.reason === 'tls';
}
