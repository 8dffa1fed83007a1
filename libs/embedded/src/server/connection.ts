// One client: its socket, its handshake, its channels. Whatever the client sends or fails to send, the connection
// ends in an orderly way, releases its resources, and affects no other client.
import type { Socket } from 'node:net';
import { AmqpFailure } from '../model/failure.js';
import type { VirtualHost } from '../model/virtual-host.js';
import {
  described,
  type Frame,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  FrameReader,
  type FrameOutcome,
} from '../wire/frames.js';
import { decodeMethod, methodIds } from '../wire/method-codec.js';
import type { Method } from '../wire/methods.js';
import { ACK_FRAME, wholeAck, WholePublish } from '../wire/whole-publish.js';
import { Channels } from './channels.js';
import { capable, Handshake, type Peer, type Session, SilentRefusal } from './handshake.js';
import { ClientTimeout, Heartbeat } from './heartbeat.js';
import type { ServerContext } from './server-context.js';
import { Line } from './line.js';
import { Outbox } from './outbox.js';
import type { Permitted } from './permitted.js';
import { Starved, type Subscription } from './subscription.js';
import { Throttle } from './throttle.js';
import { certifiedName, reset } from './tls.js';

const nextTurn = setImmediate;
const NOTHING = Buffer.alloc(0);

export class Connection {
  readonly outbox: Outbox;
  readonly channels: Channels = new Channels(this);
  private readonly reader: FrameReader;
  private readonly whole = new WholePublish();
  private readonly handshake: Handshake;
  private readonly heartbeat: Heartbeat;
  private readonly throttle: Throttle;
  private readonly line: Line;
  private session: Session | undefined;
  private state: 'handshake' | 'open' | 'closing' | 'gone' = 'handshake';
  private readonly deadline = new ClientTimeout(() => this.gone());
  private readonly starved = new Starved();
  private readonly since: number;
  private chunksRead = 0;
  /** Unsent bytes that count as memory in use. */
  private excess = 0;

  constructor(
    readonly id: number,
    private readonly socket: Socket,
    readonly context: ServerContext,
    private readonly onGone: (connection: Connection) => void,
  ) {
    this.since = context.clock.wall();
    this.line = new Line(socket, context.clock, () => this.flushed());
    this.outbox = new Outbox(
      this.line,
      () => {
        // Whatever the client hears of in this turn is in the log before.
        context.journal?.write();
        this.channels.flushConfirms();
      },
      () => this.flushed(),
    );
    this.reader = new FrameReader(
      context.limits.frameMax,
      (frame) => this.frame(frame),
      (header) => this.greet(header),
      (bytes, at) => this.frequent(bytes, at),
    );
    this.handshake = new Handshake(context, socket.remoteAddress, certifiedName(socket), (name, args) =>
      this.outbox.method(0, name, args),
    );
    this.throttle = new Throttle(socket, (reason) => this.tellBlocked(reason));
    this.heartbeat = new Heartbeat(
      () => this.outbox.heartbeat(),
      () => this.gone(),
      () => {
        this.throttle.listen();
        return this.throttle.deaf;
      },
    );
    for (const end of ['error', 'close', 'end']) socket.on(end, () => this.gone());
    socket.setNoDelay(true);
    socket.on('drain', () => this.relieve());
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    this.deadline.start();
    context.standing.apply(this);
  }

  get vhost(): VirtualHost {
    return this.opened.vhost;
  }

  /** What the user of this connection may do. Throws 503 before it is open. */
  get permitted(): Permitted {
    return this.opened.permitted;
  }

  /** False also while it waits for the client to end the socket. */
  get open(): boolean {
    return this.state === 'open';
  }

  get agreed(): Session | undefined {
    return this.session;
  }

  get peer(): Peer {
    const { remoteAddress, remotePort, localAddress, localPort, bytesRead, bytesWritten } = this.socket;
    const [host, port] = [plainAddress(remoteAddress), remotePort ?? 0];
    return {
      host,
      port,
      remote: `${remoteAddress ?? '?'}:${port}`,
      blocked: this.throttle.blocked,
      localHost: plainAddress(localAddress),
      localPort: localPort ?? 0,
      since: this.since,
      bytesRead,
      bytesWritten,
      chunksRead: this.chunksRead,
    };
  }

  understands(capability: string): boolean {
    return capable(this.opened.clientProperties, capability);
  }

  /** False while too much is unsent; the consumer is woken when that has changed. */
  canTakeMore(subscription: Subscription): boolean {
    if (!this.outbox.saturated) return true;
    this.starved.add(subscription);
    return false;
  }

  /** Publishing is possible again; goes on with the publish that was held back. */
  unblock(): void {
    this.throttle.unblock();
    this.readOn();
  }

  /** Ends it as a failing network does. */
  cut(): void {
    reset(this.socket);
    this.gone();
  }

  /** Nothing is read or sent for a while. */
  freeze(frozen: boolean): void {
    this.throttle.freeze(frozen);
    this.line.stop(frozen);
  }

  /** Delays everything that is sent by this time, in milliseconds. */
  delay(ms: number): void {
    this.line.delay(ms);
  }

  /** Ends the connection from our side. */
  closeBecause(failure: AmqpFailure, culprit: readonly [number, number] = [0, 0]): void {
    if (this.state === 'closing' || this.state === 'gone') return;
    if (this.state === 'handshake' && failure.code === 320) {
      this.gone();
      return;
    }
    this.channels.flushConfirms();
    this.state = 'closing';
    this.release();
    this.throttle.open();
    this.readOn();
    const [classId, methodId] = culprit;
    const { code, message: text } = failure;
    this.outbox.method(0, 'connection.close', { code, text, classId, methodId });
    this.outbox.flush();
    this.deadline.start();
  }

  gone(): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.context.traffic.count += 1;
    this.release();
    this.heartbeat.stop();
    this.deadline.stop();
    this.socket.destroy();
    this.countUnsent(0);
    this.onGone(this);
  }

  private get opened(): Session {
    if (!this.session) throw new AmqpFailure(503, 'the connection is not open');
    return this.session;
  }

  private receive(chunk: Buffer): void {
    if (this.state === 'gone') return;
    this.heartbeat.touch();
    this.context.traffic.count += 1;
    this.chunksRead += 1;
    try {
      this.reader.push(chunk);
    } catch (error) {
      this.broken(error, [0, 0]);
    }
    if (this.outbox.saturated) this.throttle.choke(true);
  }

  private readOn(): void {
    nextTurn(() => this.receive(NOTHING));
  }

  /** A failure of the whole connection. Errors of our own are told as 541 and logged; they never leave the socket. */
  private broken(error: unknown, culprit: readonly [number, number]): void {
    if (error instanceof SilentRefusal) this.gone();
    else if (error instanceof AmqpFailure) this.closeBecause(error, culprit);
    else {
      this.context.logger.warn(`a connection was closed after an internal error: ${String(error)}`);
      this.closeBecause(new AmqpFailure(541, 'the embedded broker failed'), culprit);
    }
  }

  private greet(header: Buffer): boolean {
    const { greetings, refusal } = this.context.traits;
    const said = header.toString('latin1');
    if (greetings.includes(said)) {
      this.handshake.start();
      return true;
    }
    // RabbitMQ knows the family by its first bytes and answers another revision of it with the right one.
    const answer = said.startsWith(greetings[0].slice(0, 7)) ? greetings[0] : refusal;
    this.socket.end(Buffer.from(answer, 'latin1'), () => this.gone());
    return false;
  }

  private frame(frame: Frame): FrameOutcome {
    if (frame.type === FRAME_METHOD && frame.payload.length >= 4) {
      const method = decodeMethod(frame.payload);
      if (method.name === 'basic.publish' && this.mustWait()) return 'again';
      try {
        this.method(frame.channel, method);
      } catch (error) {
        this.broken(error, methodIds(method.name));
      }
    } else if (frame.type === FRAME_HEADER || frame.type === FRAME_BODY) {
      if (this.state === 'handshake') throw new AmqpFailure(503, 'content before the connection is open');
      if (this.state === 'open') this.channels.content(frame);
    } else if (frame.type !== FRAME_HEARTBEAT || frame.payload.length > 0) {
      throw new AmqpFailure(501, `${described(frame)}: unknown_frame`);
    } else if (frame.channel !== 0) throw new AmqpFailure(505, described(frame));
    return this.state === 'gone' ? 'stop' : 'next';
  }

  /** Takes an ack, or a publish that came in one piece. What is neither, or must wait, is left where it is. */
  private frequent(bytes: Buffer, at: number): number | 'stop' {
    if (this.state !== 'open') return at;
    const ack = wholeAck(bytes, at);
    if (!ack) return this.wholePublish(bytes, at);
    const channel = bytes.readUInt16BE(at + 1);
    if (channel === 0) return at;
    try {
      this.channels.method(channel, ack);
    } catch (error) {
      this.broken(error, methodIds(ack.name));
    }
    return this.isGone() ? 'stop' : at + ACK_FRAME;
  }

  private wholePublish(bytes: Buffer, at: number): number | 'stop' {
    const { whole, context } = this;
    if (context.alarm !== undefined) return at;
    if (!whole.find(bytes, at, this.reader.maxFrame)) return at;
    const channel = this.channels.find(whole.channel);
    if (!channel || whole.bodyEnd - whole.bodyAt > context.limits.maxMessageSize) return at;
    if (!channel.publishWhole(bytes, at + FRAME_OVERHEAD - 1, whole)) return at;
    return this.isGone() ? 'stop' : whole.bodyEnd + 1;
  }

  private isGone(): boolean {
    return this.state === 'gone';
  }

  /** The first publish during an alarm blocks the connection. */
  private mustWait(): boolean {
    const { alarm } = this.context;
    if (alarm === undefined || this.state !== 'open') return false;
    this.throttle.block(alarm);
    return true;
  }

  private method(channel: number, method: Method): void {
    if (method.name === 'connection.close' && channel === 0) this.bye();
    else if (this.state === 'closing') {
      if (method.name === 'connection.close-ok') this.gone();
    } else if (this.state === 'handshake') this.negotiate(method);
    else if (channel !== 0) this.channels.method(channel, method);
    else if (method.name !== 'connection.update-secret') {
      throw new AmqpFailure(504, 'unexpected method in connection state running');
    } else this.outbox.method(0, 'connection.update-secret-ok', {});
  }

  private negotiate(method: Method): void {
    const session = this.handshake.step(method);
    if (!session) return;
    this.session = session;
    this.state = 'open';
    this.reader.maxFrame = session.frameMax;
    this.outbox.frameMax = session.frameMax;
    this.channels.limit = session.channelMax;
    this.heartbeat.start(session.heartbeat);
    this.deadline.stop();
    this.context.standing.apply(this);
  }

  private tellBlocked(reason: string | undefined): void {
    if (this.state !== 'open' || !this.understands('connection.blocked')) return;
    if (reason === undefined) this.outbox.method(0, 'connection.unblocked', {});
    else this.outbox.method(0, 'connection.blocked', { reason });
  }

  /**
   * The client leaves: everything it held is free before it hears that it may go. It ends the socket itself, because it
   * may still be writing what it published before, which is read and dropped.
   */
  private bye(): void {
    this.state = 'closing';
    this.release();
    this.throttle.open();
    this.outbox.method(0, 'connection.close-ok', {});
    this.outbox.flush();
    this.deadline.start();
  }

  private release(): void {
    this.channels.release();
    this.starved.forget();
    this.session?.vhost.dropOwned(this);
  }

  private flushed(): void {
    this.context.traffic.count += 1;
    this.relieve();
  }

  private countUnsent(excess: number): void {
    this.context.meter.unsent(excess - this.excess);
    this.excess = excess;
  }

  /** After a write: consumers that waited for the socket continue. */
  private relieve(): void {
    if (this.state !== 'gone') this.countUnsent(this.outbox.excess);
    if (this.outbox.saturated) return;
    this.throttle.choke(false);
    this.starved.feed();
  }
}

/** An IPv4 address as such, also on a socket for both. */
function plainAddress(address = '?'): string {
  return address.replace(/^::ffff:/, '');
}
