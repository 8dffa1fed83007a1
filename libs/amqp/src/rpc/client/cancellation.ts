import { type Handled, isBatch } from '../../message/current-delivery.js';
import type { CallScope } from '../../message/delivery.js';
import { offAbort, onAbort, type AbortListener } from '../../runtime/abort-signals.js';
import type { Clock } from '../../runtime/clock.js';
import { RpcCancelledError, RpcTimeoutError } from '../../errors/rpc-errors.js';

// A call made inside a handler inherits the remaining time and the cancellation of the call that the handler serves. That
// ends with the handler: work that continues afterwards has no caller any more.

/** The call that a handler serves while it runs. */
export function callServedBy(handled: Handled): CallScope | undefined {
  const call = isBatch(handled) ? undefined : handled.call;
  return call?.over ? undefined : call;
}

/** What its errors name. */
export interface CallNames {
  readonly exchange: string;
  readonly routingKey: string;
  readonly correlationId: string;
}

const NONE: readonly AbortSignal[] = [];

/**
 * Who can end a call before its answer: the caller by its own signal, and whoever called the handler in
 * which the call is made, by leaving or by the end of its time. Listens to both without making a signal of
 * two, which would stay with a signal that lives as long as the process. One for each call.
 */
export class Cancellation {
  private readonly signals: readonly AbortSignal[];
  private readonly began: number;

  constructor(
    private readonly own: AbortSignal | undefined,
    private readonly scope: CallScope | undefined,
    private readonly clock: Clock,
  ) {
    this.signals = own || scope ? [own, scope?.signal].filter((signal) => signal !== undefined) : NONE;
    this.began = scope ? clock.monotonic() : 0;
  }

  /** How the call ends that is not worth going on with; undefined when it is. */
  error({ exchange, routingKey, correlationId }: CallNames): Error | undefined {
    const { clock, scope, own } = this;
    const inTime = scope?.deadline === undefined || clock.monotonic() < scope.deadline;
    if (!inTime && !own?.aborted) {
      const waited = Math.round(clock.monotonic() - this.began);
      return new RpcTimeoutError(exchange, routingKey, waited, correlationId);
    }
    const aborted = this.signals.find((signal) => signal.aborted);
    return aborted && new RpcCancelledError(exchange, routingKey, aborted.reason);
  }

  listen(onLeft: AbortListener): void {
    for (const signal of this.signals) onAbort(signal, onLeft);
  }

  forget(onLeft: AbortListener): void {
    for (const signal of this.signals) offAbort(signal, onLeft);
  }
}
