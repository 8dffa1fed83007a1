// One handler at run time: pause, resume, and its limits.

import type { Consumer } from '../consume/consumer.js';
import { ConfigError } from '../errors/errors.js';
import type { Events } from '../events/emitter.js';
import type { PausedBy } from '../events/events.js';
import { milliseconds } from '../options/duration.js';
import { checkOptions, HANDLER_OPTIONS } from '../options/option-table.js';
import type { ConsumerChange, Rate } from '../options/rate.js';
import { checkRate } from '../topology/handler-limits.js';
import { checkPrefetch, type Settings } from '../options/settings.js';
import { withTimeout, type Clock } from '../runtime/clock.js';
import type { ControlOptions, EverywhereChange, HandlerControl, HandlerState } from './control.js';
import type { Everywhere } from './everywhere.js';

/** What a handler is controlled with. */
export interface HandlerControllerDeps {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly events: Events;
  /** Those of the handler. @throws ConfigError when there is none of that name */
  readonly consumers: (id: string) => readonly Consumer[];
  readonly everywhere: Pick<Everywhere, 'change' | 'isOn'>;
  /** Says what a change has changed: `tellChange`, unless that is told of many changes together. */
  readonly tell: (handler: string, consumer: Consumer, before: Limits) => void;
}

/** What of a consumer can be changed, as it is now. */
export type Limits = ReturnType<Consumer['control']['status']>;

/** Where changes are told. */
export type Told = Pick<HandlerControllerDeps, 'settings' | 'events'>;

/** Says what is different now. */
export function tellChange(
  { settings: { logger }, events }: Told,
  handler: string,
  { ids: handlers, plan, control }: Consumer,
  before: Limits,
): void {
  const { paused, prefetch, concurrency, rate } = control.status();
  const queue = plan.queue.name;
  const names = handlers.join(', ');
  if (paused && !before.paused) {
    const event = 'handler-paused';
    logger.log(`${names} paused: '${queue}' is not consumed`, { event, handler, queue });
    events.emit({ kind: 'consumer-paused', queue, handlers, by: paused.by });
  } else if (!paused && before.paused) {
    const event = 'handler-resumed';
    logger.log(`${names} resumed: '${queue}' is consumed again`, { event, handler, queue });
    events.emit({ kind: 'consumer-resumed', queue, handlers });
  }
  if (prefetch === before.prefetch && concurrency === before.concurrency && rate === before.rate) return;
  const speed = rate === undefined ? 'no rate limit' : `rate ${rate}`;
  logger.log(`${names} changed: prefetch ${prefetch}, concurrency ${concurrency}, ${speed}`, {
    event: 'handler-changed',
    handler,
    queue,
  });
  events.emit({ kind: 'consumer-changed', queue, handlers, prefetch, concurrency, rate });
}

/** See HandlerControl. */
export class HandlerController implements HandlerControl {
  constructor(
    readonly id: string,
    private readonly deps: HandlerControllerDeps,
  ) {}

  status(): HandlerState {
    return this.state(true);
  }

  pause(options?: ControlOptions): Promise<HandlerState> {
    if (options?.everywhere) return this.inAll({ paused: true }, options);
    return this.pauseBy('control', options);
  }

  /** For those who pause in the name of others. */
  pauseBy(by: PausedBy, options?: ControlOptions): Promise<HandlerState> {
    return this.each(options, ({ control }) => control.pause(by));
  }

  resume(options?: ControlOptions): Promise<HandlerState> {
    if (options?.everywhere) return this.inAll({ paused: false }, options);
    return this.each(options, ({ control }) => control.resume());
  }

  prefetch(prefetch: number, options?: ControlOptions): Promise<HandlerState> {
    return this.change({ prefetch }, options);
  }

  concurrency(concurrency: number, options?: ControlOptions): Promise<HandlerState> {
    return this.change({ concurrency }, options);
  }

  rate(rate: Rate | null, options?: ControlOptions): Promise<HandlerState> {
    return this.change({ rate }, options);
  }

  async change(change: ConsumerChange, options?: ControlOptions): Promise<HandlerState> {
    const name = `the control of ${this.id}`;
    const { rate } = change;
    checkOptions(name, { ...change, rate: rate ?? undefined }, HANDLER_OPTIONS);
    const consumers = this.deps.consumers(this.id);
    const wanted = consumers.map((consumer) => withDefaults(consumer, change));
    consumers.forEach(({ plan, control }, index) => {
      const { prefetch = control.prefetch, concurrency = control.concurrency } = wanted[index];
      checkPrefetch({ ...plan, prefetch, concurrency }, name);
      const now = rate === null ? undefined : (rate ?? (control.status().rate as Rate | undefined));
      checkRate({ rate: now, ack: plan.ack, prefetch }, this.deps.settings.consumerTimeout, name);
    });
    if (options?.everywhere) return this.inAll(change, options);
    return this.each(options, (consumer) => consumer.control.change(wanted[consumers.indexOf(consumer)]));
  }

  private async inAll(change: EverywhereChange, { timeout }: ControlOptions): Promise<HandlerState> {
    const { everywhere: all, settings } = this.deps;
    if (!all.isOn) {
      throw new ConfigError(
        `${this.id} cannot be changed everywhere: the instances of '${settings.service}' do not hear of it`,
        'give the connection the option fleet: { control: true }',
      );
    }
    const everywhere = await all.change(settings.service, this.id, change, timeout);
    const { done, failed, silent } = everywhere;
    const inForce = done.length > 0 && failed.length === 0 && silent.length === 0;
    return { ...this.state(inForce), everywhere };
  }

  private async each(
    { timeout }: ControlOptions = {},
    change: (consumer: Consumer) => Promise<void>,
  ): Promise<HandlerState> {
    const { settings, clock, tell } = this.deps;
    const ms = timeout === undefined ? settings.shutdown : milliseconds(timeout, 'timeout');
    const consumers = this.deps.consumers(this.id);
    const changing = consumers.map((consumer) => {
      const before = consumer.control.status();
      const changed = change(consumer);
      tell(this.id, consumer, before);
      return changed;
    });
    let inForce = false;
    const done = Promise.all(changing).then(() => {
      inForce = !consumers.some(({ control }) => control.ended);
    });
    await withTimeout(clock, ms, (expired) => Promise.race([done, expired]));
    return this.state(inForce);
  }

  private state(inForce: boolean): HandlerState {
    const consumers = this.deps.consumers(this.id).map((consumer) => consumer.status());
    return { handler: this.id, inForce, consumers };
  }
}

/** A concurrency that nobody gave is the prefetch. */
function withDefaults({ plan, control }: Consumer, change: ConsumerChange): ConsumerChange {
  const { prefetch, concurrency } = change;
  const follows =
    control.concurrency === control.prefetch && plan.registration.options.concurrency === undefined;
  return prefetch !== undefined && concurrency === undefined && follows
    ? { ...change, concurrency: prefetch }
    : change;
}
