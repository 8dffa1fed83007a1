// Answers: a queue of this process gets the questions, their handlers run a few at a time, and the answers go where the
// questions say, by the path that replies of calls take. Nothing in a question is trusted.

import { randomBytes } from 'node:crypto';
import type { LiveChannel } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { RecoveringChannel } from '../connection/recovering-channel.js';
import { HEADER } from '../message/headers.js';
import { isDirectReply, type Server } from '../message/direct-reply.js';
import type { ReceivedMessage } from '../message/message.js';
import { newMessageId, type ReplySender } from '../message/outgoing.js';
import type { Settings } from '../options/settings.js';
import type { FleetHandler } from '../plugins/plugin.js';
import { mayReplyTo } from '../rpc/server/reply.js';
import type { Clock } from '../runtime/clock.js';
import { describeError, LogLimiter, printable } from '../runtime/logger.js';
import { declareError } from '../topology/declare-error.js';
import type { TopologyPlan } from '../topology/plan.js';
import type { ExchangeSpec } from '../topology/specs.js';
import type { FleetInstance } from './fleet.js';
import { type AnswerContent, FLEET_EXCHANGE, MOST_QUESTION, readQuestion, writeAnswer } from './wire.js';

/** What it is made from. */
export interface FleetResponderOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly replies: ReplySender;
  /** The broker at the other end. */
  readonly server: () => Server;
  readonly instance: FleetInstance;
  readonly handlers: ReadonlyMap<string, FleetHandler>;
}

/** Questions that are answered at the same time, and how many more wait. The oldest of a flood are dropped. */
const AT_ONCE = 8;
const QUEUE_LIMITS = { 'x-max-length': 100, 'x-max-length-bytes': 1_048_576, 'x-message-ttl': 60_000 };

/** After how many ms an answer does not keep others waiting any more, and how many such answers there are at most. */
const [SLOW, MOST_SLOW] = [200, 100];

/** How long a handler has at most, and for a question that does not say how long its asker waits, in ms. */
const [LONGEST, USUAL] = [60_000, 10_000];

/** Not allowed, not there, declared otherwise: mostly only a person changes that. */
const FINAL = new Set<unknown>([403, 404, 406]);

/** The answering side. Its queue goes with its connection and comes back under another name. */
export class FleetResponder {
  private readonly recovering: RecoveringChannel;
  private readonly begun: Promise<void>;
  private begin = (): void => undefined;
  private readonly lines: LogLimiter;
  private queue: string | undefined;
  private onlyLooks = false;
  private warned = false;
  private slow = 0;

  constructor(private readonly options: FleetResponderOptions) {
    const { connection, clock, settings } = options;
    this.lines = new LogLimiter(clock);
    this.begun = new Promise((resolve) => (this.begin = resolve));
    this.recovering = new RecoveringChannel({
      connection,
      clock,
      kind: 'plain',
      reconnect: settings.reconnect,
      setup: (channel) => this.setUp(channel),
      onReady: () => this.begin(),
      onLost: () => (this.queue = undefined),
      onFailed: (error) => this.onFailed(error),
    });
  }

  /** Resolves when it can be asked for the first time, or when that failed once: all else works without. */
  start(): Promise<void> {
    this.recovering.start();
    return this.begun;
  }

  /** What is declared again when it was deleted, while it has a queue. */
  temporary(): TopologyPlan {
    const { queue, onlyLooks } = this;
    if (queue === undefined || onlyLooks) return { exchanges: [], queues: [], bindings: [] };
    const declaredBy = 'the option fleet';
    const exchange: ExchangeSpec = {
      name: FLEET_EXCHANGE,
      type: 'direct',
      durable: true,
      autoDelete: false,
      internal: false,
      arguments: {},
      declare: 'create',
      declaredBy,
    };
    const destination = { kind: 'queue' as const, name: queue };
    const bindings = this.keys().map((key) => {
      return { source: FLEET_EXCHANGE, destination, key, arguments: {}, declaredBy };
    });
    return { exchanges: [exchange], queues: [], bindings };
  }

  /** Always settles. */
  close(): Promise<void> {
    this.begin();
    return this.recovering.close();
  }

  private keys(): string[] {
    const { service, id } = this.options.instance;
    return ['', service, id];
  }

  private async setUp(channel: LiveChannel): Promise<void> {
    const { declaring } = channel;
    const name = `${this.options.settings.service}.fleet.${randomBytes(4).toString('hex')}`;
    // A user without permission to declare it may still use it.
    if (this.onlyLooks) await declaring.checkExchange(FLEET_EXCHANGE);
    else await declaring.assertExchange(FLEET_EXCHANGE, 'direct', { durable: true });
    await declaring.assertQueue(name, {
      exclusive: true,
      autoDelete: true,
      durable: false,
      arguments: { 'x-queue-type': 'classic', 'x-overflow': 'drop-head', ...QUEUE_LIMITS },
    });
    for (const key of this.keys()) await declaring.bindQueue(name, FLEET_EXCHANGE, key);
    await channel.prefetch(AT_ONCE);
    await channel.consume(name, { noAck: false, exclusive: true }, (message) => {
      if (message === 'cancelled') return this.recovering.renew();
      void this.inPlace(this.onQuestion(message, name), () => channel.ack(message.deliveryTag));
    });
    this.queue = name;
  }

  /** Frees the place of a question, at the latest when it is answered. */
  private async inPlace(answered: Promise<void>, free: () => void): Promise<void> {
    let isSlow = false;
    const cancel = this.options.clock.after(SLOW, () => {
      if (this.slow >= MOST_SLOW) return;
      isSlow = true;
      this.slow++;
      free();
    });
    await answered;
    cancel();
    if (isSlow) this.slow--;
    else free();
  }

  /** Never rejects. */
  private async onQuestion(message: ReceivedMessage, queue: string): Promise<void> {
    const { settings, server } = this.options;
    const { replyTo, correlationId } = message.properties;
    if (!replyTo || !correlationId || !mayReplyTo(replyTo, queue, settings.rpc.replyTo, server())) return;
    const content = await this.contentFor(message);
    if (content !== undefined) this.reply(replyTo, correlationId, content);
  }

  /** Undefined when the asker does not wait any more. */
  private async contentFor({ content, properties }: ReceivedMessage): Promise<AnswerContent | undefined> {
    const question = readQuestion(content);
    if (!question) {
      const limit = `a question is an object with a kind, as JSON of at most ${MOST_QUESTION} bytes`;
      return { error: { code: 'refused', message: limit } };
    }
    const { kind, payload } = question;
    const handler = this.options.handlers.get(kind);
    if (!handler) return { error: { code: 'unknown', message: `'${kind}' is not answered here` } };
    const given = Number(properties.expiration);
    const ms = Math.min(given > 0 ? given : USUAL, LONGEST);
    const { appId, userId } = properties;
    const aborting = new AbortController();
    let cancel = (): void => undefined;
    const late = new Promise<undefined>((resolve) => {
      cancel = this.options.clock.after(ms, () => resolve(undefined));
    });
    const answered = (async (): Promise<AnswerContent> => {
      const asked = { kind, from: appId, userId, timeout: ms, signal: aborting.signal };
      return { value: await handler(payload, asked) };
    })().catch((error: unknown): AnswerContent => {
      this.say(`the answer to the question '${kind}' failed: ${printable(describeError(error))}`);
      return { error: { code: 'failed', message: 'the question could not be answered: see the log' } };
    });
    const outcome = await Promise.race([answered, late]);
    cancel();
    if (outcome === undefined) aborting.abort();
    return outcome;
  }

  private reply(replyTo: string, correlationId: string, content: AnswerContent): void {
    const { instance, replies, clock } = this.options;
    const message = {
      exchange: '',
      routingKey: replyTo,
      content: writeAnswer(instance, content),
      mandatory: !isDirectReply(replyTo),
      properties: {
        contentType: 'application/json',
        headers: { [HEADER.run]: instance.id },
        deliveryMode: 1,
        correlationId,
        messageId: newMessageId(),
        timestamp: Math.floor(clock.wall() / 1_000),
      },
    };
    replies.begin(message, {
      onArrived: () => undefined,
      onLost: (error) =>
        this.say(`the answer to a question was not delivered: ${printable(describeError(error))}`),
    });
  }

  private onFailed(error: unknown): void {
    this.begin();
    const refused = FINAL.has((error as { code?: unknown } | undefined)?.code);
    if (refused && !this.onlyLooks) {
      this.onlyLooks = true;
      return;
    }
    if (refused) {
      this.onlyLooks = false;
      this.recovering.rest();
    }
    if (this.warned) return;
    this.warned = true;
    const asked = { what: 'exchange' as const, name: FLEET_EXCHANGE, declaredBy: 'the option fleet' };
    this.say(
      `this process cannot be asked over ${FLEET_EXCHANGE}: ${printable(describeError(declareError(error, asked)))}`,
    );
  }

  private say(line: string): void {
    this.lines.say((text) => this.options.settings.logger.warn(text, { event: 'control-failed' }), line);
  }
}
