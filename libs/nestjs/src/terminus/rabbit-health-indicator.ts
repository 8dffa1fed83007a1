// Whether this process is alive, and whether it should get work: two questions with two answers. The results
// have the shape that Terminus wants; without Terminus, check() has the facts.

import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { ConfigError, milliseconds, type Broker, type Duration } from '@warren/amqp';
import { connectionNames } from '../discovery/connections.js';
import { getBrokerToken } from '../module-options.js';
import { connectionHealth, type RabbitConnectionHealth } from './connection-health.js';

/** What to check, and which limits to accept. */
export interface RabbitHealthOptions {
  /** Names of connections. Default: all of the application. */
  readonly connections?: string | readonly string[];
  /** For how long the broker may take no messages (an alarm of memory or disk) before this is not ready. Default 30 s. */
  readonly maxBlocked?: Duration;
  /** Which share of the publish buffer may be taken before this is not ready, from 0 to 1. Default 0.8. */
  readonly publishBuffer?: number;
}

/** Everything that is known. */
export interface RabbitHealth {
  /** False when a connection was given up: it was closed and nothing brings it back. */
  readonly live: boolean;
  /** Whether this process can do its work: all connected, all consuming, publishes go through. */
  readonly ready: boolean;
  /** Why it is not ready, one sentence each; empty when it is. */
  readonly problems: readonly string[];
  /** By name: `default`, or that of `forRoot(name, ...)`. */
  readonly connections: Readonly<Record<string, RabbitConnectionHealth>>;
}

/** What Terminus takes from an indicator. */
export type RabbitHealthResult<Key extends string> = Record<
  Key,
  { readonly status: 'up' | 'down' } & Pick<RabbitHealth, 'problems' | 'connections'>
>;

const MAX_BLOCKED = 30_000;
const BUFFER_SHARE = 0.8;

/**
 * Health of the RabbitMQ connections, from the state of this process: it asks the broker nothing and opens nothing.
 * List it under `providers` of the module with the health endpoints.
 *
 * ```ts
 * health.check([() => this.rabbit.live()])    // liveness: down means that only a restart helps
 * health.check([() => this.rabbit.ready()])   // readiness: down means that work should go elsewhere
 * ```
 */
@Injectable()
export class RabbitHealthIndicator implements OnModuleInit {
  private readonly brokers = new Map<string, Broker>();

  constructor(
    private readonly modules: ModulesContainer,
    private readonly moduleRef: ModuleRef,
  ) {}

  onModuleInit(): void {
    for (const name of connectionNames(this.modules)) {
      this.brokers.set(name, this.moduleRef.get<Broker>(getBrokerToken(name), { strict: false }));
    }
  }

  /** Up for as long as this process can heal itself; a broker that is away or blocked is no reason to restart it. */
  live<Key extends string = 'rabbit'>(key?: Key, options: RabbitHealthOptions = {}): RabbitHealthResult<Key> {
    const { live, problems, connections } = this.check(options);
    return result(key, live, live ? [] : problems, connections);
  }

  /**
   * Up when every connection is open, every consumer has its consume-ok or is paused, the broker accepts messages and there
   * is space for those that wait. Down while the application starts in the background, and as soon as it shuts down.
   */
  ready<Key extends string = 'rabbit'>(
    key?: Key,
    options: RabbitHealthOptions = {},
  ): RabbitHealthResult<Key> {
    const { ready, problems, connections } = this.check(options);
    return result(key, ready, problems, connections);
  }

  /** The facts behind both. @throws ConfigError for a connection that does not exist or a limit out of range */
  check(options: RabbitHealthOptions = {}): RabbitHealth {
    const limits = {
      maxBlocked: milliseconds(options.maxBlocked ?? MAX_BLOCKED, 'maxBlocked'),
      publishBuffer: share(options.publishBuffer ?? BUFFER_SHARE),
    };
    const names = [options.connections ?? [...this.brokers.keys()]].flat();
    const all = names.map((name): [string, RabbitConnectionHealth] => [
      name,
      connectionHealth(this.broker(name)),
    ]);
    const problems = all.flatMap(([name, health]) => {
      const where = name === 'default' ? '' : `${name}: `;
      return problemsOf(health, limits).map((problem) => `${where}${problem}`);
    });
    const links = all.flatMap(([, health]) => Object.values(health.connections));
    return {
      live: links.every(({ state }) => state !== 'closed'),
      ready: problems.length === 0,
      problems,
      connections: Object.fromEntries(all),
    };
  }

  private broker(name: string): Broker {
    const found = this.brokers.get(name);
    if (found) return found;
    const there = [...this.brokers.keys()].map((each) => `'${each}'`).join(', ') || 'none';
    throw new ConfigError(
      `there is no connection '${name}' to check`,
      `there are: ${there}; see RabbitModule.forRoot`,
    );
  }
}

function result<Key extends string>(
  key: Key | undefined,
  up: boolean,
  problems: readonly string[],
  connections: RabbitHealth['connections'],
): RabbitHealthResult<Key> {
  const name = key ?? ('rabbit' as Key);
  return { [name]: { status: up ? 'up' : 'down', problems, connections } } as RabbitHealthResult<Key>;
}

function problemsOf(
  { closing, connections: links, consumers, publishBuffer }: RabbitConnectionHealth,
  limits: { readonly maxBlocked: number; readonly publishBuffer: number },
): string[] {
  const because = (error: string | undefined): string => (error === undefined ? '' : `: ${error}`);
  return [
    ...(closing ? ['it is shutting down'] : []),
    ...Object.entries(links).flatMap(([name, { state, error, blockedFor = 0 }]) => {
      if (state !== 'open') return [`${name} is ${SAYING[state]}${because(error)}`];
      return blockedFor > limits.maxBlocked
        ? [`${name} has been blocked by the broker for ${blockedFor} ms`]
        : [];
    }),
    // Whoever paused a handler wants it so: no work is missing elsewhere, and its state is in `consumers`.
    ...Object.entries(consumers).flatMap(([queue, { ready, error, paused }]) => {
      return ready || closing || paused ? [] : [`'${queue}' is not consumed${because(error)}`];
    }),
    ...(publishBuffer.taken > limits.publishBuffer
      ? [
          `${publishBuffer.messages} publishes are waiting; ${Math.round(100 * publishBuffer.taken)} % of publish.buffer is used`,
        ]
      : []),
  ];
}

const SAYING = {
  idle: 'not connected yet',
  connecting: 'connecting',
  waiting: 'not connected; trying again',
  closed: 'closed',
} as const;

function share(value: number): number {
  if (value >= 0 && value <= 1) return value;
  throw new ConfigError(
    `publishBuffer is ${value}`,
    'use a number between 0 and 1, a fraction of publish.buffer',
  );
}
