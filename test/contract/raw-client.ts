// A client that speaks frames, for what a well-behaved library cannot say: wrong frames, methods out of order,
// classes that nobody implements. Knows only how to shake hands, send a method and read what comes.
import { connect, type Socket } from 'node:net';
import { collector, until, type Collector } from '../support/events.js';

export interface RawMethod {
  readonly channel: number;
  /** `class.method` as numbers: '10.50' is connection.close. */
  readonly id: string;
  readonly payload: Buffer;
}

const END = 0xce;
const shortString = (text: string): Buffer =>
  Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);

export class RawClient {
  readonly methods: Collector<RawMethod> = collector('methods from the broker');
  /** Everything that came before the first frame: the header of a broker that refuses the version. */
  rest = Buffer.alloc(0);
  heartbeats = 0;
  readonly #socket: Socket;
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => this.#read(data));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.#ended = true));
  }

  /** Opens the socket only. */
  static open(url: string): RawClient {
    const { hostname, port } = new URL(url);
    return new RawClient(connect({ host: hostname, port: Number(port), noDelay: true }));
  }

  /** Opens the socket, shakes hands, and opens channel 1. */
  static async ready(
    url: string,
    options: { heartbeat?: number; frameMax?: number } = {},
  ): Promise<RawClient> {
    const client = RawClient.open(url);
    await client.startOk(url);
    await client.tuneOk(options);
    client.openVhost(decodeURIComponent(new URL(url).pathname.slice(1)) || '/');
    await client.expect('10.41');
    client.method(1, 20, 10, Buffer.from([0]));
    await client.expect('20.11');
    return client;
  }

  /** Waits for connection.tune and answers it. */
  async tuneOk(options: { heartbeat?: number; frameMax?: number } = {}): Promise<void> {
    await this.expect('10.30');
    const tune = Buffer.alloc(8);
    tune.writeUInt16BE(2047, 0);
    tune.writeUInt32BE(options.frameMax ?? 131072, 2);
    tune.writeUInt16BE(options.heartbeat ?? 0, 6);
    this.method(0, 10, 31, tune);
  }

  openVhost(name: string): void {
    this.method(0, 10, 40, shortString(name), Buffer.from([0, 0]));
  }

  /** Sends the protocol header and answers connection.start. */
  async startOk(url: string, mechanism = 'PLAIN'): Promise<void> {
    const { username, password } = new URL(url);
    this.bytes(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'));
    await this.expect('10.10');
    const response = Buffer.from(`\0${decodeURIComponent(username)}\0${decodeURIComponent(password)}`);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(response.length);
    this.method(0, 10, 11, Buffer.alloc(4), shortString(mechanism), length, response, shortString('en_US'));
  }

  bytes(data: Buffer): void {
    this.#socket.write(data);
  }

  frame(type: number, channel: number, payload: Buffer, end = END): void {
    const head = Buffer.alloc(7);
    head.writeUInt8(type, 0);
    head.writeUInt16BE(channel, 1);
    head.writeUInt32BE(payload.length, 3);
    this.bytes(Buffer.concat([head, payload, Buffer.from([end])]));
  }

  method(channel: number, classId: number, methodId: number, ...args: readonly Buffer[]): void {
    const id = Buffer.alloc(4);
    id.writeUInt16BE(classId, 0);
    id.writeUInt16BE(methodId, 2);
    this.frame(1, channel, Buffer.concat([id, ...args]));
  }

  /** The next method, which must be this one. */
  async expect(id: string): Promise<RawMethod> {
    const method = await this.methods.one();
    if (method.id !== id)
      throw new Error(`Expected method ${id}, got ${method.id}: ${method.payload.toString('latin1')}`);
    return method;
  }

  /** The next method as a close of connection or channel: `501 FRAME_ERROR - ...`. */
  async closeReply(): Promise<string> {
    const { id, payload } = await this.methods.one();
    if (id !== '10.50' && id !== '20.40') throw new Error(`Expected a close, got ${id}`);
    return `${payload.readUInt16BE(0)} ${payload.toString('utf8', 3, 3 + payload.readUInt8(2))}`;
  }

  /** Waits until the broker has ended the socket. */
  async ended(): Promise<void> {
    await until(() => this.#ended, 'the broker to end the socket');
  }

  /** Waits until the broker has given up on this client: by connection.close or by ending the socket. */
  async givenUp(): Promise<void> {
    const closing = (): boolean => this.methods.all.some(({ id }) => id === '10.50');
    await until(() => this.#ended || closing(), 'the broker to give up');
  }

  /** Reads nothing more, or goes on. */
  read(on: boolean): void {
    if (on) this.#socket.resume();
    else this.#socket.pause();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(data: Buffer): void {
    this.rest = Buffer.concat([this.rest, data]);
    while (this.rest.length >= 8 && this.rest.subarray(0, 4).toString() !== 'AMQP') {
      const size = this.rest.readUInt32BE(3);
      if (this.rest.length < size + 8) return;
      const [type, channel] = [this.rest.readUInt8(0), this.rest.readUInt16BE(1)];
      const payload = this.rest.subarray(7, 7 + size);
      this.rest = this.rest.subarray(size + 8);
      if (type === 8) this.heartbeats++;
      if (type !== 1) continue;
      const id = `${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`;
      this.methods.push({ channel, id, payload: payload.subarray(4) });
    }
  }
}

export { shortString };
