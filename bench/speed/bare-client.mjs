// A client that does what the protocol needs for the benchmark and nothing else: handshake, publishes with confirms,
// consumers with acks. No checks, no recovery, no flow control, one vhost, short names. What it costs is the floor: code that
// does more cannot cost less. All that is written in one turn of the event loop is one write.
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  BODY,
  CORRELATION,
  CONTENT_TYPE,
  ENCODING,
  END,
  HEADER,
  HEADERS,
  METHOD,
  MODE,
  PRIORITY,
  REPLY_TO,
  RESERVED,
  TABLE,
  frame,
  long,
  named,
  short,
  table,
  template,
  two,
} from './bare-bytes.mjs';

const HEARTBEAT = 8;
/** Type, channel and size of a frame. */
const HEAD = 7;
/** Each is class × 1000 + method. */
const CLOSED = [10_050, 20_040];
const RETURN = 60_050;
const DELIVER = 60_060;
const ACK = 60_080;
const NACK = 60_120;
const DURABLE = 2;
const NO_ACK = 2;
/** How much is collected before it is written without waiting for the end of the turn. */
const SLAB = 256 * 1024;
/** Larger bodies are encoded apart, and split into frames. */
const LARGE = 32 * 1024;

/**
 * @typedef {(error: Error | null) => void} Done
 * @typedef {{ body: unknown, correlationId: string, replyTo: string }} Message
 * @typedef {(message: Message) => void} Handle
 */

/** One connection. */
export class BareConnection {
  #socket;
  #frameMax = 131_072;
  #out = Buffer.allocUnsafe(SLAB);
  #at = 0;
  #planned = false;
  /** The start of a frame whose end has not come. @type {Buffer} */
  #rest = Buffer.alloc(0);
  /** @type {((payload: Buffer) => void) | undefined} */
  #answered;
  #channels = 0;
  /** By channel. @type {Channel[]} */
  #open = [];
  /** Channels that have something to ack. @type {Channel[]} */
  #owing = [];
  #endOfTurn = () => {
    this.#planned = false;
    for (const channel of this.#owing) {
      channel.owing = false;
      this.#ack(channel.number, channel.tag);
    }
    this.#owing = [];
    this.#flush();
  };

  #flush() {
    if (this.#at === 0) return;
    this.#socket.write(this.#out.subarray(0, this.#at));
    this.#out = Buffer.allocUnsafe(SLAB);
    this.#at = 0;
  }

  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#read(bytes));
  }

  /** @param {string} address */
  static async connect(address) {
    const url = new URL(address);
    const { hostname: host, username, password, pathname } = url;
    const secure = url.protocol === 'amqps:';
    const port = Number(url.port) || (secure ? 5671 : 5672);
    const socket = secure
      ? connectTls({ host, port, rejectUnauthorized: false })
      : connectPlain({ host, port, noDelay: true });
    socket.setNoDelay(true);
    await once(socket, secure ? 'secureConnect' : 'connect');
    const connection = new BareConnection(socket);
    await connection.#handshake(decodeURIComponent(username), decodeURIComponent(password), pathname);
    return connection;
  }

  /** @param {string} user @param {string} password @param {string} path */
  async #handshake(user, password, path) {
    const started = this.#answer();
    this.#socket.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    await started;
    const login = [TABLE, short('PLAIN'), long(`\0${user}\0${password}`), short('en_US')];
    const tune = await this.ask(0, 10_011, ...login);
    this.#frameMax = tune.readUInt32BE(6) || this.#frameMax;
    const heartbeat = RESERVED;
    this.#socket.write(frame(METHOD, 0, named(10_031), tune.subarray(4, 10), heartbeat));
    await this.ask(0, 10_040, short(decodeURIComponent(path.slice(1)) || '/'), short(''), Buffer.of(0));
  }

  #answer() {
    return new Promise((/** @type {(payload: Buffer) => void} */ resolve) => (this.#answered = resolve));
  }

  /**
   * Sends a method and waits for the answer; one at a time.
   *
   * @param {number} channel
   * @param {number} method
   * @param {Buffer[]} parts
   */
  ask(channel, method, ...parts) {
    const answer = this.#answer();
    this.#flush();
    this.#socket.write(frame(METHOD, channel, named(method), ...parts));
    return answer;
  }

  async channel() {
    const number = ++this.#channels;
    await this.ask(number, 20_010, short(''));
    return (this.#open[number] = new Channel(this, number));
  }

  async close() {
    await this.ask(0, 10_050, two(200), short('bye'), two(0), two(0));
    this.#socket.destroy();
  }

  /** @param {number} size */
  #space(size) {
    if (this.#at + size > SLAB) this.#flush();
    this.#plan();
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(this.#endOfTurn);
  }

  /** All up to its tag at the end of the turn. @param {Channel} channel */
  owes(channel) {
    this.#owing.push(channel);
    this.#plan();
  }

  /** @param {ReturnType<typeof template>} to @param {string} correlationId @param {unknown} body */
  publish({ channel, method, head, tail, correlated }, correlationId, body) {
    const text = JSON.stringify(body);
    const bytes = text.length > LARGE ? Buffer.from(text) : undefined;
    this.#space(1024 + (bytes ? 0 : text.length * 3));
    const out = this.#out;
    let at = this.#at;
    out.set(method, at);
    at += method.length;
    const begin = at;
    out[at] = HEADER;
    out.writeUInt16BE(channel, at + 1);
    at += HEAD;
    out.set(head, at);
    at += head.length;
    if (correlated) {
      out[at] = out.write(correlationId, at + 1, 'latin1');
      at += 1 + out[at];
    }
    out.set(tail, at);
    at += tail.length;
    out.writeUInt32BE(at - begin - HEAD, begin + 3);
    out[at++] = END;
    if (bytes) {
      out.writeUInt32BE(bytes.length, begin + HEAD + 8);
      this.#at = at;
      return this.#bodies(channel, bytes);
    }
    out[at] = BODY;
    out.writeUInt16BE(channel, at + 1);
    const length = out.write(text, at + HEAD);
    out.writeUInt32BE(length, at + 3);
    out.writeUInt32BE(length, begin + HEAD + 8);
    at += HEAD + length;
    out[at] = END;
    this.#at = at + 1;
  }

  /** @param {number} channel @param {Buffer} bytes */
  #bodies(channel, bytes) {
    this.#flush();
    const most = this.#frameMax - 8;
    for (let from = 0; from < bytes.length; from += most) {
      const part = bytes.subarray(from, from + most);
      const head = Buffer.alloc(HEAD, BODY);
      head.writeUInt16BE(channel, 1);
      head.writeUInt32BE(part.length, 3);
      this.#socket.write(head);
      this.#socket.write(part);
      this.#socket.write(Buffer.of(END));
    }
  }

  /** @param {number} channel @param {number} tag */
  #ack(channel, tag) {
    if (this.#at + 21 > SLAB) this.#flush();
    const out = this.#out;
    const at = this.#at;
    out[at] = METHOD;
    out.writeUInt16BE(channel, at + 1);
    out.writeUInt32BE(13, at + 3);
    out.writeUInt32BE((60 << 16) | 80, at + 7);
    out.writeUInt32BE(Math.floor(tag / 2 ** 32), at + 11);
    out.writeUInt32BE(tag >>> 0, at + 15);
    out[at + 19] = 1;
    out[at + 20] = END;
    this.#at = at + 21;
  }

  /** @param {Buffer} chunk */
  #read(chunk) {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    while (at + HEAD <= bytes.length) {
      const size = bytes.readUInt32BE(at + 3);
      const start = at + HEAD;
      if (start + size >= bytes.length) break;
      this.#frame(bytes, bytes[at], bytes.readUInt16BE(at + 1), start, start + size);
      at = start + size + 1;
    }
    this.#rest = at === bytes.length ? this.#rest.subarray(0, 0) : bytes.subarray(at);
  }

  /** @param {Buffer} bytes @param {number} type @param {number} number @param {number} from @param {number} to */
  #frame(bytes, type, number, from, to) {
    const channel = this.#open[number];
    if (type === BODY) return channel.onBody(bytes, from, to);
    if (type === HEADER) return channel.onHeader(bytes, from);
    if (type === HEARTBEAT) return;
    const method = bytes.readUInt16BE(from) * 1000 + bytes.readUInt16BE(from + 2);
    if (method === DELIVER) return channel.onDeliver(bytes, from + 4);
    if (method === ACK || method === NACK) return channel.onConfirm(bytes, from + 4, method === NACK);
    if (method === RETURN || CLOSED.includes(method)) {
      throw new Error(`the broker says ${method}: ${bytes.toString('latin1', from + 7, to)}`);
    }
    this.#answered?.(Buffer.from(bytes.subarray(from, to)));
  }
}

/** @param {Buffer} bytes @param {number} at */
const large = (bytes, at) => bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);

class Channel {
  #connection;
  /** @type {Map<string, ReturnType<typeof template>>} */
  #templates = new Map();
  /** Publishes without confirm; `#first` is the number of the oldest. @type {(Done | undefined)[]} */
  #unconfirmed = [];
  #first = 1;
  #head = 0;
  /** @type {Handle} */
  #handle = () => {};
  #acks = true;
  /** Of the last message. */
  tag = 0;
  /** Whether it is to be acked at the end of the turn. */
  owing = false;
  #size = 0;
  #correlationId = '';
  #replyTo = '';
  /** Of a body in several frames. @type {Buffer[]} */
  #parts = [];
  #had = 0;

  /** @param {BareConnection} connection @param {number} number */
  constructor(connection, number) {
    this.#connection = connection;
    this.number = number;
  }

  confirms() {
    return this.#connection.ask(this.number, 85_010, Buffer.of(0));
  }

  /** @param {string} queue @param {Record<string, string>} [fields] */
  declare(queue, fields = {}) {
    const parts = [RESERVED, short(queue), Buffer.of(DURABLE), table(fields)];
    return this.#connection.ask(this.number, 50_010, ...parts);
  }

  /** @param {string} queue @param {Handle} handle @param {{ prefetch?: number, noAck?: boolean }} options */
  async consume(queue, handle, { prefetch = 0, noAck = false }) {
    this.#handle = handle;
    this.#acks = !noAck;
    await this.#connection.ask(this.number, 60_010, Buffer.alloc(4), two(prefetch), Buffer.of(0));
    const flags = Buffer.of(noAck ? NO_ACK : 0);
    await this.#connection.ask(this.number, 60_020, RESERVED, short(queue), short(''), flags, TABLE);
  }

  /**
   * To a queue; `done` is told of the confirm, on a channel with confirms.
   *
   * @param {string} queue
   * @param {unknown} body
   * @param {{ persistent?: boolean, replyTo?: string, correlationId?: string, done?: Done }} options
   */
  publish(queue, body, { persistent, replyTo, correlationId = '', done }) {
    let to = this.#templates.get(queue);
    if (to === undefined) {
      to = template(this.number, queue, { persistent, replyTo, correlated: correlationId !== '' });
      // Addresses for replies are few here.
      this.#templates.set(queue, to);
    }
    this.#connection.publish(to, correlationId, body);
    if (done) this.#unconfirmed.push(done);
  }

  /** @param {Buffer} bytes @param {number} at @param {boolean} refused */
  onConfirm(bytes, at, refused) {
    const last = large(bytes, at) - this.#first;
    const multiple = (bytes[at + 8] & 1) === 1;
    for (let index = multiple ? this.#head : last; index <= last; index++) {
      const done = this.#unconfirmed[index];
      this.#unconfirmed[index] = undefined;
      done?.(refused ? new Error('nack') : null);
    }
    while (this.#head < this.#unconfirmed.length && !this.#unconfirmed[this.#head]) this.#head++;
    if (this.#head < 1_000 || this.#head * 2 < this.#unconfirmed.length) return;
    this.#unconfirmed = this.#unconfirmed.slice(this.#head);
    this.#first += this.#head;
    this.#head = 0;
  }

  /** @param {Buffer} bytes @param {number} at */
  onDeliver(bytes, at) {
    this.tag = large(bytes, at + 1 + bytes[at]);
  }

  /** @param {Buffer} bytes @param {number} start */
  onHeader(bytes, start) {
    this.#size = bytes.readUInt32BE(start + 8);
    const flags = bytes.readUInt16BE(start + 12);
    if ((flags & (CORRELATION | REPLY_TO)) === 0) return;
    let at = start + 14;
    if (flags & CONTENT_TYPE) at += 1 + bytes[at];
    if (flags & ENCODING) at += 1 + bytes[at];
    if (flags & HEADERS) at += 4 + bytes.readUInt32BE(at);
    if (flags & MODE) at++;
    if (flags & PRIORITY) at++;
    if (flags & CORRELATION) {
      this.#correlationId = bytes.toString('latin1', at + 1, at + 1 + bytes[at]);
      at += 1 + bytes[at];
    }
    if (flags & REPLY_TO) this.#replyTo = bytes.toString('latin1', at + 1, at + 1 + bytes[at]);
  }

  /** @param {Buffer} bytes @param {number} from @param {number} to */
  onBody(bytes, from, to) {
    if (to - from === this.#size) return this.#message(bytes.toString('utf8', from, to));
    this.#parts.push(Buffer.from(bytes.subarray(from, to)));
    this.#had += to - from;
    if (this.#had < this.#size) return;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#had = 0;
    this.#message(whole.toString());
  }

  /** @param {string} text */
  #message(text) {
    const message = { body: JSON.parse(text), correlationId: this.#correlationId, replyTo: this.#replyTo };
    this.#handle(message);
    if (!this.#acks || this.owing) return;
    this.owing = true;
    this.#connection.owes(this);
  }
}
