// A handler in all instances of a service: what is wanted goes into a stream that all of them follow, and a question over
// the exchange of the fleet collects which of them did it.

import { randomBytes } from 'node:crypto';
import type { Connection } from '../connection/connection.js';
import { ConfigError, ConnectionLostError } from '../errors/errors.js';
import { AccessRefusedError } from '../errors/topology-errors.js';
import type { FleetAnswer, FleetInstance } from '../fleet/fleet.js';
import type { FleetMember } from '../fleet/member.js';
import { newMessageId } from '../message/outgoing.js';
import type { OutgoingMessage } from '../message/message.js';
import { milliseconds, type Duration } from '../options/duration.js';
import type { Settings } from '../options/settings.js';
import { Confirms, type SendOutcome } from '../publish/confirms.js';
import type { FleetQuestion } from '../plugins/plugin.js';
import { inTime, withTimeout, type Clock } from '../runtime/clock.js';
import { declareError } from '../topology/declare-error.js';
import { controlName, isHandlerName, readCommand, writeCommand, type Command } from './command.js';
import type { EverywhereChange, EverywhereResult } from './control.js';
import { Follower, type FollowerOptions, type Outcome } from './follower.js';

/** The parts of the broker object. */
export interface EverywhereDeps {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly fleet: FleetMember;
  /** Where what is wanted is read. */
  readonly connection: () => Connection;
  /** Where it is written. RabbitMQ reads nothing more from a connection that publishes during an alarm. */
  readonly writing: () => Connection;
  readonly apply: FollowerOptions['apply'];
  readonly replay: FollowerOptions['replay'];
  /** Whether there is such a handler in this process. */
  readonly has: (handler: string) => boolean;
  /** The handlers that are paused for all instances. */
  readonly paused: () => readonly string[];
}

/** Kind of the questions. */
const KIND = 'control';

/** How long instances are counted before a change, how long the change is awaited, at most that, in ms. */
const [COUNTING, USUAL, LONGEST] = [1_000, 10_000, 60_000];

/** The share of an asker's time after which an instance answers that it is not in force yet. */
const SHARE = 0.9;

const newId = (): string => randomBytes(8).toString('hex');

/** One per broker object. */
export class Everywhere {
  private follower: Follower | undefined;
  private told = false;
  private closed = false;

  constructor(private readonly deps: EverywhereDeps) {
    if (!this.isOn) return;
    deps.fleet.answer(KIND, (payload, question) => this.answer(payload, question));
  }

  /** Learns what is wanted, if the option says so. Resolves when that is known and done, or when it failed. */
  async start(): Promise<void> {
    if (!this.isOn || this.closed) return;
    const { settings, clock, connection, apply, replay, has } = this.deps;
    this.follower ??= new Follower({
      connection: connection(),
      settings,
      clock,
      apply,
      replay,
      has,
      mark: async () => {
        const id = newId();
        await this.write(settings.service, { id });
        return id;
      },
      onKnown: () => this.tell(),
    });
    await this.follower.start();
  }

  /** A handler is there that was not. */
  async added(handler: string): Promise<void> {
    await this.follower?.added(handler);
  }

  /** Always settles. */
  async close(): Promise<void> {
    this.closed = true;
    await this.follower?.close();
  }

  /** Whether this process follows what is wanted everywhere. */
  get isOn(): boolean {
    return this.deps.settings.fleet?.control === true;
  }

  /**
   * Changes a handler in all instances of a service that have the option `fleet.control`, and in those that start later.
   *
   * @throws ConfigError (no instance ever had the option), AccessRefusedError, ConnectionLostError
   */
  async change(
    service: string,
    handler: string,
    change: EverywhereChange,
    timeout: Duration | undefined,
  ): Promise<EverywhereResult> {
    const { fleet } = this.deps;
    const command: Command = { id: newId(), handler, change };
    if (!readCommand(writeCommand(command))) {
      throw new ConfigError(
        'what is wanted of a handler everywhere cannot be read',
        'name a handler, and give paused, prefetch and concurrency (1 to 65535) or rate (100/s, or null)',
      );
    }
    const ms = Math.min(timeout === undefined ? USUAL : milliseconds(timeout, 'timeout'), LONGEST);
    // There is no list of instances: those that answer this are waited for, and no longer than they take.
    const counted = await fleet.ask(KIND, { handler }, { service, timeout: COUNTING });
    await this.write(service, command);
    const expect = counted.answers.length;
    if (expect === 0) return { done: [], failed: [], silent: counted.missing };
    const asked = { handler, command: command.id };
    const { answers, missing } = await fleet.ask(KIND, asked, { service, timeout: Math.max(ms, 1), expect });
    const here = new Set(answers.map(({ from }) => from.id));
    const late = counted.answers.map(({ from }) => from).filter(({ id }) => !here.has(id));
    const silent = new Map([...late, ...missing, ...counted.missing].map((from) => [from.id, from]));
    return { ...sorted(answers), silent: [...silent.values()].filter(({ id }) => !here.has(id)) };
  }

  /** What a stranger asks: nothing is done for it, it only learns what came of a command that was written. */
  private async answer(payload: unknown, question: FleetQuestion): Promise<unknown> {
    const { handler, command } = (payload ?? {}) as {
      readonly handler?: unknown;
      readonly command?: unknown;
    };
    const { follower, deps } = this;
    if (!isHandlerName(handler)) return { error: 'the question names no handler' };
    if (typeof command !== 'string' || !follower) return { has: deps.has(handler) };
    let outcome: Outcome | 'late' = 'late';
    const ms = Math.max(1, Math.floor(question.timeout * SHARE));
    await withTimeout(deps.clock, ms, async (expired) => {
      const done = follower.outcome(command).then((came) => void (outcome = came));
      await Promise.race([done, expired]);
    });
    follower.forget(command);
    if (outcome === 'late') return { has: deps.has(handler), inForce: false };
    return outcome ? { has: true, ...(outcome as object) } : { has: false };
  }

  private async write(service: string, command: Command): Promise<void> {
    const { clock, settings } = this.deps;
    const late = (): Error =>
      new ConnectionLostError(
        `the broker did not confirm a command for '${service}' in time (publish.timeout)`,
      );
    const turn = { over: false };
    await inTime(clock, settings.publish.timeout, this.append(service, command, turn), late).finally(
      () => (turn.over = true),
    );
  }

  /** On a channel of its own: a refusal costs the channel. Sends nothing when its turn is over. */
  private async append(service: string, command: Command, turn: { readonly over: boolean }): Promise<void> {
    const exchange = controlName(service);
    const connection = this.deps.writing();
    await connection.opened();
    if (connection.blocked) {
      const why = 'the broker accepts no messages now (see the event blocked)';
      throw new ConnectionLostError(`a command for '${service}' was not written: ${why}`);
    }
    const channel = await connection.openChannel('confirm');
    try {
      await channel.declaring.checkExchange(exchange).catch((error: unknown) => {
        throw refusal(error, service);
      });
      // Its caller was told that it was not written.
      if (turn.over) return;
      const confirms = new Confirms(channel);
      const message = this.message(exchange, command);
      const outcome = await new Promise<SendOutcome>((resolve) => {
        confirms.send({ message, returned: false, onOutcome: resolve });
      });
      if (outcome === 'confirmed') return;
      if (outcome === 'returned') throw noFollowers(service);
      const reason = outcome === 'lost' ? await channel.closed : 'the broker refused it';
      if (/ACCESS_REFUSED|403/.test(reason))
        throw new AccessRefusedError(`exchange '${exchange}'`, 'a change everywhere', reason, {
          permission: 'write',
        });
      throw new ConnectionLostError(`a command for '${service}' was not written: ${reason}`);
    } finally {
      void channel.close();
    }
  }

  private message(exchange: string, command: Command): OutgoingMessage {
    const { clock, settings } = this.deps;
    return {
      exchange,
      routingKey: '',
      content: writeCommand(command),
      mandatory: true,
      properties: {
        contentType: 'application/json',
        deliveryMode: 2,
        appId: settings.service,
        messageId: newMessageId(),
        timestamp: Math.floor(clock.wall() / 1_000),
      },
    };
  }

  /** Once, at the start. */
  private tell(): void {
    if (this.told) return;
    this.told = true;
    const { settings } = this.deps;
    const paused = this.deps.paused();
    if (paused.length === 0) return;
    settings.logger.warn(
      `paused in all instances of '${settings.service}': ${paused.join(', ')}; resume({ everywhere: true }) ends it`,
      { event: 'paused-everywhere' },
    );
  }
}

function sorted(answers: readonly FleetAnswer[]): Pick<EverywhereResult, 'done' | 'failed'> {
  const done: FleetInstance[] = [];
  const failed: { instance: FleetInstance; reason: string }[] = [];
  for (const { from: instance, value, error } of answers) {
    const said = (value ?? {}) as {
      readonly has?: unknown;
      readonly inForce?: unknown;
      readonly error?: unknown;
    };
    if (error?.code === 'unknown') failed.push({ instance, reason: 'its option fleet.control is off' });
    else if (error) failed.push({ instance, reason: error.message });
    else if (typeof said.error === 'string') failed.push({ instance, reason: said.error.slice(0, 1_000) });
    else if (said.has !== true) continue;
    else if (said.inForce === true) done.push(instance);
    else failed.push({ instance, reason: 'not in force yet' });
  }
  return { done, failed };
}

function refusal(error: unknown, service: string): Error {
  if ((error as { code?: unknown } | undefined)?.code === 404) return noFollowers(service);
  const name = controlName(service);
  return declareError(error, { what: 'exchange', name, declaredBy: 'a change everywhere' }) as Error;
}

function noFollowers(service: string): ConfigError {
  return new ConfigError(
    `no instance of '${service}' hears what is wanted everywhere`,
    'give its instances the option fleet: { control: true }',
  );
}
