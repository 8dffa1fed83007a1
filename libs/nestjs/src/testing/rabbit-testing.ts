// Tests of real handlers without a broker to install: the application as it is, on a broker of the test's
// own, and questions about what happened.

import type { InjectionToken, ModuleMetadata, Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Test, type TestingModule, type TestingModuleBuilder } from '@nestjs/testing';
import { ConfigError, ConnectionLostError, SILENT, type Broker } from '@warren/amqp';
import type { BrokerFaults, EmbeddedBroker } from '@warren/embedded';
import { handlersOf } from '../discovery/application.js';
import { RABBIT_OVERRIDE, type RabbitOverride } from '../module-options.js';
import { Publisher } from '../runtime/publisher.js';
import { Probe, type DeadLetter, type FailedRun, type Published } from './probe.js';
import { startTestBroker, type TestBroker } from './test-broker.js';

// When an application under test has done what it can do without time passing: then a test may move time on.

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Waits for what is under way. What does not end within `patience` ms of real time waits for something that only time
 * brings (or for ever), and is not waited for again while it lasts.
 */
export class Settling {
  private waitsForTime: ReadonlySet<string> = new Set();

  constructor(
    /** What is under way, in words. */
    private readonly underWay: () => readonly string[],
    private readonly patience: number,
  ) {}

  async settled(): Promise<void> {
    let before = '';
    for (let since = performance.now(); ; await nextTurn()) {
      const all = this.underWay();
      // What has ended is waited for when it begins again.
      this.waitsForTime = new Set(all.filter((each) => this.waitsForTime.has(each)));
      if (all.every((each) => this.waitsForTime.has(each))) break;
      const now = all.join();
      if (now !== before) [before, since] = [now, performance.now()];
      else if (performance.now() - since > this.patience) this.waitsForTime = new Set(all);
    }
  }
}

/** What to test. */
export interface RabbitTestingOptions extends Pick<ModuleMetadata, 'imports' | 'providers' | 'controllers'> {
  /** The place for `overrideProvider`, `overrideGuard`, `useMocker` and the like. */
  readonly configure?: ((builder: TestingModuleBuilder) => TestingModuleBuilder) | undefined;
  /** `short`: waits of retries and delays last 10 ms; `real`: as long as they should, for `advance`. Default `short`. */
  readonly waits?: 'short' | 'real' | undefined;
  /** Whether the application's log lines are printed. Default false. */
  readonly logs?: boolean | undefined;
}

const POLL = 10;
const IDLE_TIMEOUT = 10_000;
/** How often connections look after themselves, in ms: a test that moves time by a day has this done 144 times. */
const UPKEEP = 600_000;
const SETTLED_AFTER = 200;

/** An application under test. */
export class RabbitTesting {
  private stopping: Promise<void> | undefined;

  // Hard private: printing this object must not print the broker's URL.
  readonly #probe: Probe;
  readonly #broker: TestBroker;

  private constructor(
    /** The running application. */
    readonly app: TestingModule,
    probe: Probe,
    broker: TestBroker,
  ) {
    this.#probe = probe;
    this.#broker = broker;
  }

  /** Starts a broker, and the application on it. */
  static async start(options: RabbitTestingOptions): Promise<RabbitTesting> {
    const broker = await startTestBroker();
    const probe = new Probe();
    const override: RabbitOverride = {
      options: (_name, given) => {
        return {
          ...given,
          url: broker.url,
          credentials: undefined,
          tls: undefined,
          ...(broker.clock && given.watchdog === undefined ? { watchdog: UPKEEP } : {}),
          ...(options.logs ? {} : { logger: SILENT }),
        };
      },
      internals: {
        ...(broker.clock ? { clock: broker.clock, exact: true, upkeep: UPKEEP } : {}),
        ...(options.waits === 'real' ? {} : { shortenWait: () => POLL }),
      },
      onBroker: (_name, made) => probe.watch(made as Broker),
    };
    const { imports, providers, controllers } = options;
    let app: TestingModule | undefined;
    try {
      const builder = Test.createTestingModule({ imports, providers, controllers });
      const configured = (options.configure?.(builder) ?? builder)
        .overrideProvider(RABBIT_OVERRIDE)
        .useValue(override);
      app = await configured.compile();
      await app.init();
      return new RabbitTesting(app, probe, broker);
    } catch (error) {
      await app?.close().catch(() => undefined);
      await Promise.allSettled(probe.brokers.map((made) => made.close()));
      await broker.stop().catch(() => undefined);
      throw error;
    }
  }

  /** URL of the broker, for a client of the test's own. */
  get url(): string {
    return this.#broker.url;
  }

  /** What can go wrong with its broker, when the test wants it. @throws ConfigError on RabbitMQ */
  get faults(): BrokerFaults {
    return this.embedded('faults').faults;
  }

  /** The application's publisher. */
  get publisher(): Publisher {
    return this.app.get(Publisher, { strict: false });
  }

  /** A provider of the application. */
  get<T>(token: InjectionToken<T>): T {
    return this.app.get<T>(token, { strict: false });
  }

  /**
   * Resolves when nothing is under way: no handler runs, nothing is unconfirmed or unanswered, no message is ready in
   * a queue of the application or waits for its next attempt. Rejects after `timeout` ms (10000) with what still is.
   */
  async idle({ timeout = IDLE_TIMEOUT }: { readonly timeout?: number } = {}): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const end = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, timeout, 'late')));
    let known: readonly string[] = [];
    try {
      for (let quiet = 0; quiet < 2;) {
        const busy = await Promise.race([end, this.busy()]);
        if (busy === 'late') {
          const why = known.length > 0 ? known : ['the broker does not answer'];
          throw new Error(`not idle after ${timeout} ms: ${why.join(', ')}`);
        }
        known = busy;
        quiet = busy.length === 0 ? quiet + 1 : 0;
        await new Promise((resolve) => setTimeout(resolve, POLL));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Moves the time of the broker and of the application's connections forward: waits of retries, delays, time-outs of
   * handlers and calls, expiries. What becomes due by then happens in its order, one moment after the other; before each,
   * and at the end, it waits until nothing is under way. What takes longer than `patience` ms of real time (200) to end
   * is taken to wait for time. Timers of the application's own are not moved. @throws ConfigError on RabbitMQ
   */
  async advance(
    by: number | string,
    { patience = SETTLED_AFTER }: { readonly patience?: number } = {},
  ): Promise<void> {
    const settling = new Settling(() => this.#probe.underWay(), patience);
    await this.embedded('time').clock.advance(by, { quiet: 1, settle: () => settling.settled() });
  }

  /** Payloads that a handler finished, in order: one for each message, in a batch too. */
  handled<T extends object>(host: Type<T>, method: keyof T & string): unknown[] {
    return this.idsOf(host, method).flatMap((id) => this.#probe.handled(id));
  }

  /** Runs of a handler that threw, in order. */
  failed<T extends object>(host: Type<T>, method: keyof T & string): FailedRun[] {
    return this.idsOf(host, method).flatMap((id) => this.#probe.failed(id));
  }

  /** The messages that were dead-lettered from a queue. */
  dead(queue: string): DeadLetter[] {
    return this.#probe.dead(queue);
  }

  /** Everything the application published, with how it ended. */
  published(): Published[] {
    return this.#probe.published();
  }

  /** Closes the application and its broker. @throws Error when something of it is left open */
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private embedded(what: string): EmbeddedBroker {
    if (this.#broker.embedded) return this.#broker.embedded;
    throw new ConfigError(
      `a test cannot control the ${what} of RabbitMQ`,
      'run this test without RABBITMQ_URL',
    );
  }

  /** How events name the method of this very class; another class may have the same name. */
  private idsOf(host: Type<unknown>, method: string): string[] {
    const all = handlersOf(this.get(ModulesContainer), (token) => this.get(token));
    const own = all.filter(({ found }) => found.host.prototype === host.prototype && found.method === method);
    return [...new Set(own.map(({ id }) => id))];
  }

  private async busy(): Promise<string[]> {
    const busy = this.#probe.busy();
    if (busy.length > 0) return busy;
    let counts: readonly number[];
    try {
      counts = await Promise.all(this.#probe.brokers.map((broker) => broker.backlog()));
    } catch (error) {
      // It connects again.
      if (error instanceof ConnectionLostError) return [error.message];
      throw error;
    }
    const waiting = counts.reduce((sum, count) => sum + count, 0);
    return waiting > 0 ? [`${waiting} messages in queues`] : this.#probe.busy();
  }

  private async end(): Promise<void> {
    try {
      await this.app.close();
      const leaked = this.#probe.brokers.flatMap((broker) => {
        const { connections, timers } = broker.status();
        const open = connections.filter(({ state }) => state !== 'closed' && state !== 'idle');
        return [
          ...open.map(({ name, state }) => `connection ${name} is ${state}`),
          ...(timers > 0 ? [`${timers} timers`] : []),
        ];
      });
      const open = await this.#broker.openConnections();
      if (open > 0) leaked.push(`${open} connections that are not the application's`);
      if (leaked.length > 0) throw new Error(`left open after closing: ${leaked.join(', ')}`);
    } finally {
      await this.#broker.stop();
    }
  }
}
