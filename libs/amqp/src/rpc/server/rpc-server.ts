// Serving calls: the pipeline step that replies, and what it needs in this process.

import type { Connection } from '../../connection/connection.js';
import type { CallServer, HandlerContext, Step } from '../../consume/step.js';
import { CALLS_EXCHANGE } from '../../message/call-control.js';
import type { Delivery } from '../../message/delivery.js';
import type { Settings } from '../../options/settings.js';
import type { Clock } from '../../runtime/clock.js';
import { type HandlerPlan, callsExchange } from '../../topology/handler-plan.js';
import type { TopologyPlan } from '../../topology/plan.js';
import { ActiveCalls, type CallContext, type RpcContext } from './active-calls.js';
import { CallerLiveness } from './caller-liveness.js';
import { ControlConsumer } from './control-consumer.js';
import { errorReply } from './reply.js';
import { ActiveCall, reply } from './rpc-step.js';

/** Dependencies. */
export interface RpcServerOptions extends Pick<CallContext, 'replies' | 'remoteError'> {
  readonly connection: Connection;
  /** Where a reply to an address leaves: to ask about some costs the connection, as to publish to them does. */
  readonly replyConnection: (replyTo: string) => Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly handlers: readonly HandlerPlan[];
}

/** Serves the calls of one broker object: its handlers reply, and callers can reach it while they wait. */
export class RpcServer implements CallServer {
  private readonly context: CallContext;
  private readonly control: ControlConsumer;

  constructor({
    connection,
    replyConnection,
    settings,
    clock,
    handlers,
    replies,
    remoteError,
  }: RpcServerOptions) {
    const calls = new ActiveCalls(clock);
    this.context = {
      replies,
      remoteError,
      calls,
      callers: new CallerLiveness({ connection: replyConnection, clock }),
    };
    this.control = new ControlConsumer({ connection, settings, clock, calls, handlers });
  }

  readonly step: Step = (handler) => reply(this.contextOf(handler));

  reject(handler: HandlerContext, request: Delivery, error: Error): void {
    const context = this.contextOf(handler);
    new ActiveCall(context, request).reply(errorReply(context, error, request));
  }

  start(): Promise<void> {
    return this.control.start();
  }

  added(): Promise<void> {
    return this.control.bind();
  }

  temporary(): TopologyPlan {
    const exchange = this.control.isDeclaring ? callsExchange(CALLS_EXCHANGE) : undefined;
    return { exchanges: exchange ? [exchange] : [], queues: [], bindings: [...this.control.temporary()] };
  }

  stopStreams(): void {
    this.context.calls.stopStreams();
  }

  async close(expired: Promise<void>): Promise<void> {
    await Promise.all([this.control.close(), this.context.callers.close(expired)]);
  }

  private contextOf(handler: HandlerContext): RpcContext {
    return { ...handler, ...this.context };
  }
}
