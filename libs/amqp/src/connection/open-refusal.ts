// Why the broker does not open a virtual host, in its own words: there is none, the user may not, or a limit of connections
// is reached, which passes. The client library throws these words away, so the handshake is done once more by hand.

import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from './endpoints.js';

// Each is a class of methods and one of them.
const START_OK = [10, 11];
const TUNE_OK = [10, 31];
const OPEN = [10, 40];

interface Sasl {
  readonly mechanism: string;
  response(): Buffer;
}

/** Resolves with the broker's words; undefined when it opens after all, ends the socket, or `signal` aborts. */
export function openRefusal(endpoint: Endpoint, signal: AbortSignal): Promise<string | undefined> {
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
