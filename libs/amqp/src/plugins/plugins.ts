import { ConfigError, PluginError } from '../errors/errors.js';
import type { Codec } from '../message/codecs/codec.js';
import type { Delivery } from '../message/delivery.js';
import type { OutgoingMessage } from '../message/message.js';
import type { Clock, Deadlines } from '../runtime/clock.js';
import { BROKER_OPTIONS, checkOptions } from '../options/option-table.js';
import { describeError, LogLimiter, printable, type Log } from '../runtime/logger.js';
import { batchChain, deliveryChain, publishChain, type PluginFailed } from './interceptors.js';
import type {
  BatchNext,
  DeliveryNext,
  HandlerInfo,
  Plugin,
  PluginHost,
  PublishKind,
  PublishNext,
  PublishResult,
} from './plugin.js';
import { LeavingMessage, PublishRun, type Leaving, type MessageLimits } from './leaving-message.js';
import { errorFields } from '../errors/error-facts.js';

/** What plugins are made from. */
export interface PluginsOptions {
  /** The option `plugins`. */
  readonly given: readonly unknown[];
  /** Turns an entry into a plugin, for frameworks that find them elsewhere. Asked once, when they are first used. */
  readonly resolve?: (entry: unknown) => unknown;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly logger: Log;
  /** Of what plugins make of a message. */
  readonly limits: () => MessageLimits;
}

/** What must not be lost, whatever a plugin does. */
const KEPT: ReadonlySet<PublishKind> = new Set<PublishKind>(['retry', 'dead-letter', 'replay']);

/** What goes on after the message was sent: the reply of a call may be refused by a plugin. */
const ANSWERED: ReadonlySet<PublishKind> = new Set<PublishKind>(['request']);

/** The plugins of one broker object, in their order: around messages, at its start and end, in its status. */
export class Plugins {
  /** Nobody asked for any: nothing of this is called for a message then. */
  readonly none: boolean;
  private readonly lines: LogLimiter;
  private found: readonly Plugin[] | undefined;
  private chain: PublishNext | null | undefined;
  private started: Plugin[] = [];
  private stopped = false;

  constructor(private readonly options: PluginsOptions) {
    this.none = options.given.length === 0;
    this.lines = new LogLimiter(options.clock);
  }

  /** @throws ConfigError when one of them is no plugin */
  get list(): readonly Plugin[] {
    this.found ??= resolved(this.options);
    return this.found;
  }

  get codecs(): readonly Codec[] {
    return this.none ? [] : this.list.flatMap(({ codecs }) => codecs ?? []);
  }

  /** Sends a message through all of them. Settles as the publish does, or rejects with PluginError. */
  publish(
    leaving: Leaving,
    send: (message: OutgoingMessage) => Promise<PublishResult>,
  ): Promise<PublishResult> {
    try {
      this.chain ??= publishChain(this.list) ?? null;
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    const { chain } = this;
    if (chain === null) return send(leaving.message);
    const { limits, deadlines, clock } = this.options;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (run.over) return;
        run.over = true;
        deadlines.clear(run);
        this.failed(run, error).then(resolve, reject);
      };
      const run = new PublishRun(leaving, send, limits, () => {
        const within = `within ${Math.round(leaving.timeout)} ms`;
        // What is on its way has a time of its own.
        if (run.sending === undefined)
          fail(new PluginError(run.entered, `did not call next of publish ${within}`));
        else if (ANSWERED.has(leaving.kind))
          // A reply that plugins have not passed on may be one that they would refuse. A turn for those that only return it.
          run.sending.then(
            () =>
              setImmediate(() => fail(new PluginError(run.entered, `did not pass the reply on ${within}`))),
            fail,
          );
        else concluded(run, undefined).then(resolve, fail);
      });
      deadlines.addAt(clock.monotonic() + leaving.timeout, run);
      chain(new LeavingMessage(run, leaving.message)).then((given) => {
        if (run.over) return;
        deadlines.clear(run);
        const { outcome } = run;
        if (outcome === undefined || 'error' in outcome) concluded(run, given).then(resolve, fail);
        else resolve(resultOf(run, outcome.result, given));
      }, fail);
    });
  }

  /** All of them around a handler. */
  aroundDelivery(handler: HandlerInfo, run: DeliveryNext, failed: PluginFailed): DeliveryNext {
    return this.none ? run : deliveryChain(this.list, handler, run, failed);
  }

  /** All of them around a handler of batches. */
  aroundBatch(handler: HandlerInfo, run: BatchNext, failed: PluginFailed): BatchNext {
    return this.none ? run : batchChain(this.list, handler, run, failed);
  }

  /** @throws PluginError of the first that throws; those before it are stopped */
  async start(host: PluginHost): Promise<void> {
    sayUntraced(this.list, host.logger);
    for (const plugin of this.list) {
      if (this.stopped) return;
      this.started.push(plugin);
      try {
        await plugin.start?.(host);
      } catch (error) {
        throw new PluginError(plugin.name, `could not start: ${printable(describeError(error))}`, error);
      }
    }
  }

  /** The last one first, until `expired`. Failures are logged. Always settles. */
  async stop(expired: Promise<void>): Promise<void> {
    this.stopped = true;
    for (const plugin of this.started.splice(0).reverse()) {
      // What has nothing to wait for is not late, even when the time is over.
      const late = expired.then(() => new Promise<'late'>((resolve) => setImmediate(resolve, 'late')));
      const stopped = (async () => plugin.stop?.())().catch((error: unknown) =>
        this.warn(plugin.name, 'stop', error),
      );
      if ((await Promise.race([stopped, late])) === 'late')
        this.warn(plugin.name, 'stop', 'it took too long');
    }
  }

  /** By name. A plugin whose status cannot be had is there with its error. */
  status(): Readonly<Record<string, unknown>> {
    const all: Record<string, unknown> = {};
    if (this.none) return all;
    for (const plugin of this.list) {
      try {
        all[plugin.name] = plugin.status?.() ?? {};
      } catch (error) {
        all[plugin.name] = { error: describeError(error) };
      }
    }
    return all;
  }

  /** What they say of a delivery in a log line, with a space before it; '' for nothing. */
  logSuffix(delivery: Delivery): string {
    if (this.none) return '';
    const said = this.list.flatMap(
      (plugin) => this.guarded(plugin, 'logSuffix', () => plugin.logSuffix?.(delivery)) ?? [],
    );
    return said.length === 0 ? '' : ` [${printable(said.join(', '))}]`;
  }

  /** Shows them a channel of the client library. */
  onChannel(channel: object): void {
    if (this.none) return;
    for (const plugin of this.list) this.guarded(plugin, 'channel', () => plugin.channel?.(channel));
  }

  private guarded<T>(plugin: Plugin, where: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.warn(plugin.name, where, error);
      return undefined;
    }
  }

  private async failed(run: PublishRun, error: unknown): Promise<PublishResult> {
    const { kind, message } = run.leaving;
    if (run.sending === undefined) {
      if (!KEPT.has(kind)) throw error;
      this.lines.say(
        (line) => this.options.logger.error(line, { event: 'plugin-bypassed', ...errorFields(error) }),
        `${printable(describeError(error))}; the ${kind} was sent without plugins`,
      );
      return run.send(message);
    }
    const result = await run.sending;
    if (ANSWERED.has(kind)) throw error;
    this.lines.say(
      (line) => this.options.logger.warn(line, { event: 'plugin-failed', ...errorFields(error) }),
      `${printable(describeError(error))}; the message was sent before that`,
    );
    return result;
  }

  private warn(name: string, where: string, error: unknown): void {
    this.options.logger.warn(`the plugin '${name}' failed in ${where}: ${printable(describeError(error))}`, {
      event: 'plugin-failed',
      plugin: name,
      ...errorFields(error),
    });
  }
}

/** Set ups of OpenTelemetry that the log was told about. */
const told = new WeakSet<object>();

/** One line when somebody set up OpenTelemetry, and would look for messages in the traces in vain. */
function sayUntraced(plugins: readonly Plugin[], logger: Log): void {
  const api = (globalThis as Record<symbol, unknown>)[Symbol.for('opentelemetry.js.api.1')];
  if (typeof api !== 'object' || api === null || !('trace' in api) || told.has(api)) return;
  if (plugins.some(({ name }) => name === 'opentelemetry')) return;
  told.add(api);
  logger.log(
    'OpenTelemetry is set up, but messages are not traced: add openTelemetry() of @warren/opentelemetry to the plugins',
    { event: 'untraced' },
  );
}

/** What the publish came to, whatever the plugins made of it. */
async function concluded(run: PublishRun, given: PublishResult | undefined): Promise<PublishResult> {
  if (run.sending === undefined) throw new PluginError(run.entered, 'did not call next of publish');
  return resultOf(run, await run.sending, given);
}

/** Only the reply of a call is for plugins to change. */
function resultOf(run: PublishRun, result: PublishResult, given: PublishResult | undefined): PublishResult {
  return run.leaving.kind === 'request' && given ? { ...result, value: given.value } : result;
}

const CODECS = BROKER_OPTIONS.filter(({ name }) => name === 'codecs');

const MEMBERS = ['publish', 'delivery', 'batch', 'start', 'stop', 'status', 'logSuffix', 'channel'] as const;

function resolved({ given, resolve = (entry) => entry }: PluginsOptions): readonly Plugin[] {
  const names = new Set<string>();
  return given.map((entry, index) => {
    const plugin = resolve(entry) as Plugin | null | undefined;
    const where = `the connection options: plugins[${index}]`;
    if (
      typeof plugin !== 'object' ||
      plugin === null ||
      typeof plugin.name !== 'string' ||
      plugin.name === ''
    ) {
      throw new ConfigError(
        `${where} is no plugin`,
        'a plugin is an object with a name: see docs/plugins.md',
      );
    }
    for (const member of MEMBERS) {
      if (plugin[member] === undefined || typeof plugin[member] === 'function') continue;
      throw new ConfigError(`${where} ('${plugin.name}'): ${member} must be a function`, '');
    }
    checkOptions(`${where} ('${plugin.name}')`, { codecs: plugin.codecs }, CODECS);
    if (names.has(plugin.name)) {
      throw new ConfigError(`two plugins are called '${plugin.name}'`, 'give each a name of its own');
    }
    names.add(plugin.name);
    return plugin;
  });
}
