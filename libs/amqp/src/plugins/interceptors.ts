// The functions of plugins around each other: put together once, with guards that name the plugin that fails.

import { PluginError } from '../errors/errors.js';
import { OutcomeSignal } from '../errors/signals.js';
import type { Delivery, Verdict } from '../message/delivery.js';
import { describeError, printable } from '../runtime/logger.js';
import { tryChain, type MaybePromise } from '../runtime/maybe-promise.js';
import type {
  BatchNext,
  DeliveryNext,
  HandlerInfo,
  Plugin,
  PublishContext,
  PublishNext,
  PublishResult,
} from './plugin.js';
import { LeavingMessage } from './leaving-message.js';

/** All `publish` of plugins around the sending of a message; undefined when none has one. */
export function publishChain(plugins: readonly Plugin[]): PublishNext | undefined {
  const taking = plugins.filter((plugin) => plugin.publish !== undefined);
  if (taking.length === 0) return undefined;
  return taking.reduceRight<PublishNext>((next, plugin) => {
    const around = made(plugin, 'publish', plugin.publish?.(next));
    return (context) => {
      const run = LeavingMessage.runOf(context);
      const outside = run.entered;
      run.entered = plugin.name;
      // Whatever takes too long from here on is what the plugin around it does.
      const passed = (result: PublishResult): PublishResult => {
        if (run.sending !== undefined) run.entered = outside;
        return result;
      };
      const blamed = (error: unknown): never => {
        throw named(plugin, 'publish', error, run.outcome);
      };
      try {
        const result = around(context);
        // Plugins may return promises of any library, or none.
        const promise = result instanceof Promise ? result : Promise.resolve<PublishResult>(result);
        return promise.then(passed, blamed);
      } catch (error) {
        return Promise.reject(named(plugin, 'publish', error, run.outcome));
      }
    };
  }, send);
}

/** The innermost: sends the message, once. */
function send(context: PublishContext): Promise<PublishResult> {
  const run = LeavingMessage.runOf(context);
  if (run.sending !== undefined || run.over) {
    throw new PluginError(
      run.entered,
      `called next of publish ${run.sending === undefined ? 'too late' : 'more than once'}`,
    );
  }
  run.sending = run.send(LeavingMessage.messageOf(context));
  // A plugin may look at it later, or never.
  run.sending.then(
    (result) => (run.outcome = { result }),
    (error: unknown) => (run.outcome = { error }),
  );
  return run.sending;
}

/** The error that a plugin is blamed for, unless it is the one of the publish itself. */
function named(
  { name }: Plugin,
  where: string,
  error: unknown,
  outcome: { readonly error: unknown } | object | undefined,
): Error {
  if (error instanceof PluginError || (outcome && 'error' in outcome && outcome.error === error))
    return error as Error;
  return new PluginError(name, `failed in ${where}: ${printable(describeError(error))}`, error);
}

/** What becomes of a delivery when a plugin fails with `error`. */
export type PluginFailed = (error: unknown, delivery: Delivery) => Verdict;

/** All `delivery` of plugins around a handler. */
export function deliveryChain(
  plugins: readonly Plugin[],
  handler: HandlerInfo,
  run: DeliveryNext,
  failed: PluginFailed,
): DeliveryNext {
  const taking = plugins.filter((plugin) => plugin.delivery !== undefined);
  if (taking.length === 0) return run;
  const handle: DeliveryNext = (delivery) => {
    if (delivery.run.entered) throw new Error('next of delivery was called more than once');
    delivery.run.entered = true;
    return tryChain(run, delivery, noted, failed);
  };
  return taking.reduceRight<DeliveryNext>(
    (next, plugin) => guardedDelivery(plugin, next, handler, failed),
    handle,
  );
}

function guardedDelivery(
  plugin: Plugin,
  next: DeliveryNext,
  handler: HandlerInfo,
  failed: PluginFailed,
): DeliveryNext {
  const around = made(plugin, 'delivery', plugin.delivery?.(next, optionsOf(handler, plugin)));
  const blamed = (error: unknown, delivery: Delivery): Verdict =>
    failed(blame(plugin, 'delivery', error), delivery);
  const checked = (verdict: unknown, delivery: Delivery): Verdict =>
    isVerdict(verdict) ? verdict : blamed(new TypeError('it returned no verdict'), delivery);
  // Plugins may return promises of any library.
  const native = (delivery: Delivery): MaybePromise<Verdict> => {
    const verdict = around(delivery);
    return 'then' in Object(verdict) ? Promise.resolve(verdict) : verdict;
  };
  return (delivery) => tryChain(native, delivery, checked, blamed);
}

/** All `batch` of plugins around a batch handler; `delivery` of those that have no `batch`, around each message. */
export function batchChain(
  plugins: readonly Plugin[],
  handler: HandlerInfo,
  run: BatchNext,
  failed: PluginFailed,
): BatchNext {
  return plugins.reduceRight<BatchNext>((next, plugin) => {
    if (plugin.batch) return guardedBatch(plugin, next, handler, failed);
    return plugin.delivery ? perMessage(plugin, next, handler, failed) : next;
  }, run);
}

function guardedBatch(
  plugin: Plugin,
  next: BatchNext,
  handler: HandlerInfo,
  failed: PluginFailed,
): BatchNext {
  const around = made(plugin, 'batch', plugin.batch?.(next, optionsOf(handler, plugin)));
  return async (list) => {
    try {
      const verdicts = await around(list);
      if (verdicts.length === list.length && verdicts.every(isVerdict)) return verdicts;
      throw new TypeError('it did not return a verdict for each message');
    } catch (error) {
      const blamed = blame(plugin, 'batch', error);
      return list.map((delivery) => failed(blamed, delivery));
    }
  };
}

/** A `delivery` around each message of a batch. The batch runs when all of its messages got through or ended before. */
function perMessage(plugin: Plugin, next: BatchNext, handler: HandlerInfo, failed: PluginFailed): BatchNext {
  const gates = new WeakMap<Delivery, BatchGate>();
  const enter: DeliveryNext = (delivery) => {
    const gate = gates.get(delivery);
    if (!gate) throw new Error('next of delivery was called more than once, or with another delivery');
    gates.delete(delivery);
    return gate.arrived(delivery);
  };
  const around = guardedDelivery(plugin, enter, handler, failed);
  return (list) => {
    const gate = new BatchGate(list.length, next);
    return Promise.all(
      list.map(async (delivery) => {
        gates.set(delivery, gate);
        const verdict = await around(delivery);
        if (gates.delete(delivery)) gate.left();
        return verdict;
      }),
    );
  };
}

/** Waits until every message of a batch has arrived at the handler or ended before it. */
class BatchGate {
  private readonly here: Delivery[] = [];
  private start: () => void = () => undefined;
  private readonly verdicts: Promise<ReadonlyMap<Delivery, Verdict>>;

  constructor(
    private missing: number,
    next: BatchNext,
  ) {
    this.verdicts = new Promise<void>((resolve) => (this.start = resolve)).then(async () => {
      const verdicts = this.here.length > 0 ? await next(this.here) : [];
      return new Map(this.here.map((delivery, index) => [delivery, verdicts[index]]));
    });
  }

  async arrived(delivery: Delivery): Promise<Verdict> {
    this.here.push(delivery);
    this.left();
    return (await this.verdicts).get(delivery) as Verdict;
  }

  left(): void {
    if (--this.missing === 0) this.start();
  }
}

/** What a plugin threw, with its name, unless it says what shall become of the message. */
function blame(plugin: Plugin, where: string, error: unknown): unknown {
  return error instanceof OutcomeSignal ? error : named(plugin, where, error, undefined);
}

function made<T>({ name }: Plugin, member: string, value: T | undefined): T {
  if (typeof value === 'function') return value;
  throw new PluginError(name, `returned no function from ${member}`);
}

function optionsOf(handler: HandlerInfo, { name }: Plugin): HandlerInfo {
  const all = handler.options as Readonly<Record<string, unknown>> | undefined;
  return { ...handler, options: all?.[name] };
}

const KINDS: ReadonlySet<unknown> = new Set<Verdict['kind']>([
  'ack',
  'drop',
  'retry',
  'dead-letter',
  'requeue',
  'open',
]);

function isVerdict(value: unknown): value is Verdict {
  return typeof value === 'object' && value !== null && KINDS.has((value as { kind?: unknown }).kind);
}

/** Remembers what the handler came to, for the case that a plugin fails after it. */
const noted = (verdict: Verdict, { run }: Delivery): Verdict => (run.verdict = verdict);
