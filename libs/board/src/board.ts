// What the board can show and do, whoever asks over whatever HTTP platform: each view from its source, each act with its right
// and its audit.

import type { ServerResponse } from 'node:http';
import type { Broker, BrokerLogger } from '@warren/nestjs';
import { systemClock } from '@warren/nestjs';
import type { Answer, Right } from './api/answers.js';
import type { HistoryAnswer, Job, JobsAnswer } from './api/dead-letters.js';
import type { ActName, Session } from './api/session.js';
import { BoardError, errorAnswer } from './errors.js';
import type { BoardSettings } from './options.js';
import * as requests from './requests.js';
import { Audit } from './sources/audit.js';
import { Readers } from './sources/event-stream.js';
import { Figures } from './sources/figures.js';
import { changeEverywhere, changeHandler, handlersView } from './sources/handlers.js';
import { Instances, refOf } from './sources/instances.js';
import { Jobs } from './sources/jobs.js';
import { journeyView } from './sources/journey.js';
import { Live } from './sources/live.js';
import { DeadQueues } from './sources/dead-queues.js';
import { Management } from './sources/management.js';
import { callTest, contractsView, exchangesView, publishTest, runWaiting } from './sources/messages.js';
import { Readings } from './sources/readings.js';
import { callsView, servicesView, waitingView } from './sources/services.js';
import { tail } from './sources/tail.js';
import { actualTopology, topologyView } from './sources/topology.js';

/** Of @warren/board. test/architecture compares it with package.json. */
const VERSION = '0.2.0';

/** The right that each act needs. */
export const ACT_RIGHTS: ReadonlyMap<string, Right> = new Map<ActName, Right>([
  ['dead.replay', 'replay'],
  ['dead.edit', 'edit'],
  ['dead.drop', 'edit'],
  // And the right of what the job does.
  ['job.continue', 'look'],
  ['job.stop', 'look'],
  ['waiting.run-now', 'replay'],
  ['publish', 'edit'],
  ['call', 'edit'],
  ['handler.pause', 'control'],
  ['handler.resume', 'control'],
  ['handler.prefetch', 'control'],
  ['handler.concurrency', 'control'],
  ['handler.rate', 'control'],
]);

/** Pages that read an exchange along. */
const MOST_TAILS = 20;

/** Whom the guard has let in. */
export interface Visitor {
  readonly who: string | undefined;
  readonly rights: readonly Right[];
  readonly token: string;
}

/** What it is made from. */
export interface BoardParts {
  readonly broker: Broker;
  readonly settings: BoardSettings;
  readonly logger: Pick<BrokerLogger, 'log' | 'warn' | 'error'>;
  /** No application: `warren board`. */
  readonly standAlone: boolean;
}

/** See above. */
export class Board {
  readonly settings: BoardSettings;
  readonly live: Live;
  readonly audit: Audit;
  private readonly broker: Broker;
  private readonly figures = new Figures();
  private readonly instances: Instances;
  private readonly management: Management;
  private readonly readings: Readings;
  private readonly jobs: Jobs;
  private readonly tails = new Readers(MOST_TAILS, systemClock);
  private readonly deadQueues: DeadQueues;
  private readonly leave: (() => void)[];

  constructor(private readonly parts: BoardParts) {
    const { broker, settings } = parts;
    this.broker = broker;
    this.settings = settings;
    this.instances = new Instances(broker, this.figures);
    this.management = new Management(settings.management, broker);
    this.readings = new Readings(broker, settings);
    this.deadQueues = new DeadQueues(broker, this.instances, this.management, this.readings);
    this.live = new Live(broker, this.figures);
    this.audit = new Audit({
      clock: systemClock,
      logger: parts.logger,
      instance: () => refOf(broker.fleet.instance),
      tell: (row) => this.live.send('audit', row),
      onAct: settings.onAct,
      onFailed: (error) => this.failed('the option onAct', error),
    });
    this.jobs = new Jobs({
      broker,
      readings: this.readings,
      saveDropped: settings.saveDropped,
      onChange: (job) => this.live.send('job', job),
      onEnd: (job) => this.auditJob(job),
    });
    this.leave = [
      broker.on(this.figures.add, ['handled']),
      broker.on(this.jobs.handled, ['handled']),
      broker.on(this.live.heard),
    ];
  }

  /** Who somebody is, and what they can do here. */
  session({ who, rights, token }: Visitor): Session {
    const { settings, broker, parts } = this;
    return {
      at: systemClock.wall(),
      who: who ?? null,
      rights,
      token,
      acts: [...ACT_RIGHTS.keys()].filter((act) => mayAct(act, rights)) as ActName[],
      version: VERSION,
      service: broker.settings.service,
      connection: broker.fleet.instance.connection,
      standAlone: parts.standAlone,
      management: this.management.isConfigured,
      savesDropped: settings.saveDropped !== undefined,
      redacts: settings.redact !== undefined,
    };
  }

  /** The answer of a view. */
  async view(
    name: string,
    parts: readonly string[],
    query: Readonly<Record<string, unknown>>,
  ): Promise<Answer> {
    const { broker, management, readings } = this;
    const lack = (what: string) => (why: string) => management.lack(what, why);
    switch (name) {
      case 'services':
        return servicesView(await this.instances.all());
      case 'handlers':
        return handlersView(await this.instances.all(), await management.queues(), lack('lengths of queues'));
      case 'calls':
        return callsView(await this.instances.all());
      case 'waiting': {
        const own = broker.status().waiting.queues;
        const all = await this.instances.all();
        return waitingView(all, await management.queues(), own, lack('numbers of waiting messages'));
      }
      case 'topology': {
        const [all, actual] = await Promise.all([this.instances.all(), actualTopology(management)]);
        return topologyView(broker.details(), actual, all, lack('what the broker has'));
      }
      case 'exchanges':
        return exchangesView(broker.details(), await management.exchanges(), lack('exchanges of others'));
      case 'contracts':
        return contractsView(broker.details());
      case 'journey/:id': {
        const queues = (await this.deadQueues.names()).map(({ queue }) => queue);
        return journeyView(broker, this.settings.journal, readings, queues, requests.nameOf(parts[0]));
      }
      case 'dead-letters':
        return this.deadQueues.view();
      case 'dead-letters/:id':
        return readings.letters(requests.nameOf(parts[0]), requests.lettersQuery(query));
      case 'dead-letters/:id/letters/:key':
        return readings.letter(requests.nameOf(parts[0]), requests.nameOf(parts[1]));
      case 'jobs': {
        const answer: JobsAnswer = { at: systemClock.wall(), unknown: [], jobs: this.jobs.list() };
        return answer;
      }
      case 'history': {
        const answer: HistoryAnswer = { at: systemClock.wall(), unknown: [], acts: this.audit.list() };
        return answer;
      }
      default:
        throw new BoardError('NOT_FOUND', 'there is no such view');
    }
  }

  /** A stream of what passes an exchange. @throws BoardError when there are too many */
  tail(query: Readonly<Record<string, unknown>>, begin: () => ServerResponse): void {
    const wanted = requests.tailQuery(query);
    this.tails.add(begin, (stream) => tail(this.broker, this.settings, wanted, stream));
  }

  /** Does it, and audits it. The guard has checked the right. */
  async act(act: string, body: unknown, visitor: Visitor): Promise<unknown> {
    let target = '';
    const on = (what: string): void => void (target = what);
    const { who } = visitor;
    try {
      const { answer, text } = await this.perform(act, body, visitor, on);
      const result = act.startsWith('dead.') && act !== 'dead.edit' ? 'started' : 'done';
      this.audit.add({ who, act, target, result, text });
      return answer;
    } catch (error) {
      const { status, body: told } = errorAnswer(error);
      const result = status === 403 ? 'refused' : 'failed';
      this.audit.add({ who, act, target, result, text: told.error.message });
      throw error;
    }
  }

  /** For the log of the application: the page does not learn it. */
  failed(what: string, error: unknown): void {
    this.parts.logger.error(
      `${what} of the board failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }

  /** Ends streams and jobs: nothing of the board keeps an application from closing. */
  close(): void {
    for (const leave of this.leave.splice(0)) leave();
    this.jobs.close();
    this.live.close();
    this.tails.close();
    this.instances.close();
  }

  private async perform(
    act: string,
    body: unknown,
    visitor: Visitor,
    on: (target: string) => void,
  ): Promise<Done> {
    switch (act as ActName) {
      case 'dead.replay':
      case 'dead.drop':
      case 'dead.edit':
        return done(await this.begin(act, body, visitor.who ?? null, on));
      case 'job.continue':
      case 'job.stop': {
        const { job, rate } = requests.jobRequest(body);
        on(job);
        const right = ACT_RIGHTS.get(this.jobs.actOf(job) ?? '');
        if (right !== undefined && !visitor.rights.includes(right))
          throw new BoardError('FORBIDDEN', `this job needs the right ${right}`, 'ask for it');
        return done(act === 'job.stop' ? this.jobs.stop(job) : this.jobs.continue(job, rate));
      }
      case 'waiting.run-now':
        return this.runNow(body, on);
      case 'publish': {
        const request = requests.publishRequest(body);
        on(`${request.exchange} ${request.routingKey}`);
        const answer = await publishTest(this.broker, request);
        return {
          answer,
          text: `message ${answer.messageId}, ${answer.routed ? 'routed' : 'no queue got it'}`,
        };
      }
      case 'call': {
        const request = requests.callRequest(body);
        on(request.pattern);
        const answer = await callTest(this.broker, this.settings, request);
        return { answer, text: `answered after ${answer.took} ms` };
      }
      case 'handler.pause':
      case 'handler.resume':
      case 'handler.prefetch':
      case 'handler.concurrency':
      case 'handler.rate':
        return this.change(act, body, on);
      default:
        throw new BoardError('NOT_FOUND', 'there is no such act');
    }
  }

  private async runNow(body: unknown, on: (target: string) => void): Promise<Done> {
    const request = requests.runNowRequest(body);
    on(`${request.queue} ${request.key}`);
    const { id, ...answer } = await runWaiting(this.broker, request);
    return {
      answer,
      text: `message ${id}, ${answer.forwarded ? 'forwarded' : 'its target has not taken it yet'}`,
    };
  }

  private async change(act: string, body: unknown, on: (target: string) => void): Promise<Done> {
    const { handler, change, everywhere } = requests.handlerRequest(act, body);
    const how = Object.entries(change).map(([name, value]) => `${name}: ${String(value)}`);
    if (!everywhere) {
      on(handler);
      const answer = await changeHandler(this.broker, handler, change);
      return { answer, text: `${how.join(', ')}${answer.inForce ? '' : ', not in force yet'}` };
    }
    const { service = this.broker.settings.service } = everywhere;
    on(`${service} ${handler}`);
    const target = { service, id: handler };
    const answer = await changeEverywhere(this.broker, await this.instances.all(), target, change);
    const { done, failed, silent } = answer.everywhere!;
    const numbers = `${done.length} did it, ${failed.length} failed, ${silent.length} did not answer`;
    return { answer, text: `${how.join(', ')} in all instances: ${numbers}` };
  }

  private async begin(
    act: string,
    body: unknown,
    who: string | null,
    on: (target: string) => void,
  ): Promise<Job> {
    if (act === 'dead.replay') {
      const request = requests.replayRequest(body);
      on(request.queue);
      return this.jobs.replay(request, who);
    }
    if (act === 'dead.drop') {
      const request = requests.dropRequest(body);
      on(request.queue);
      return this.jobs.drop(request, who);
    }
    const request = requests.editRequest(body);
    on(`${request.queue} ${request.key}`);
    return this.jobs.edit(request, who);
  }

  private auditJob({ act, who, queue, state, done, leftOut, error, file, id }: Job): void {
    // An edit is one act, audited when it is done.
    if (act === 'dead.edit') return;
    const left = leftOut > 0 ? `, ${leftOut} not looked at` : '';
    const text = `job ${id}: ${state}, ${done} messages${left}${file ? `, saved in ${file}` : ''}${error ? `: ${error}` : ''}`;
    this.audit.add({
      who: who ?? undefined,
      act,
      target: queue,
      result: state === 'failed' ? 'failed' : 'done',
      text,
    });
  }
}

function mayAct(act: string, rights: readonly Right[]): boolean {
  const right = ACT_RIGHTS.get(act);
  if (act.startsWith('job.')) return rights.includes('replay') || rights.includes('edit');
  return right !== undefined && rights.includes(right);
}

/** What an act answers, and what its audit says. */
interface Done {
  readonly answer: unknown;
  readonly text: string;
}

const done = (job: Job): Done => ({ answer: { job }, text: `job ${job.id}: ${job.what}` });
