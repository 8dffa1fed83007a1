// Work on dead letters: replays, drops and edits, one at a time for each queue. It goes on when the page is closed, and ends with
// the process: what was not replayed or dropped by then is in its place.

import { randomBytes } from 'node:crypto';
import { type Broker, type BrokerEventOf, type DeadLetter, type Plugin, systemClock } from '@warren/nestjs';
import type { DropRequest, EditRequest, Job, ReplayRequest, Selection } from '../api/dead-letters.js';
import { BoardError } from '../errors.js';
import { DroppedFile } from './dropped-file.js';
import { JobNews, Replayed } from './job-progress.js';
import { deadLettersOf } from './management.js';
import { issuesOf, ownQueue } from './letters.js';
import type { Readings } from './readings.js';

/** Jobs that are remembered when they are over. */
const MOST_OVER = 100;

/** Jobs at once, waiting ones included. */
const MOST_OPEN = 20;

/** The broker takes back what is held for longer, 30 minutes by default; a slow replay begins anew before that. */
const ROUND = 15 * 60;

/** What changes of a job. */
type State = { -readonly [Name in keyof Job]: Job[Name] };

interface Running {
  readonly job: State;
  readonly replayed: Replayed;
  /** Messages that it is about, when that is known. */
  readonly most: number;
  readonly where: (letter: DeadLetter) => boolean;
  controller: AbortController;
}

/** Who hears of them. */
export interface JobsOptions {
  readonly broker: Broker;
  readonly readings: Readings;
  readonly saveDropped: string | undefined;
  readonly onChange: (job: Job) => void;
  readonly onEnd: (job: Job) => void;
}

/** See above. */
export class Jobs {
  private readonly all = new Map<string, Running>();

  private readonly news: JobNews;

  constructor(private readonly options: JobsOptions) {
    this.news = new JobNews(systemClock, options.onChange);
  }

  /** The newest first. */
  list(): Job[] {
    return [...this.all.values()].map(({ job }) => ({ ...job })).reverse();
  }

  /** Begins a replay. */
  replay({ queue, select, first, rate, to }: ReplayRequest, who: string | null): Job {
    const target = to ?? ownQueue(queue);
    if (target === null)
      throw new BoardError(
        'BAD_REQUEST',
        `the name '${queue}' does not say where to replay to`,
        'name the target queue',
      );
    const running = this.begin('dead.replay', queue, select, who);
    Object.assign(running.job, {
      to: target,
      rate: rate ?? null,
      outcome: this.isHere(target) ? NOTHING : null,
    });
    void this.run(running, async () => {
      const done = await this.send(running, first, first === undefined ? rate : undefined, to);
      return first !== undefined && done === first ? 'waiting' : 'done';
    });
    return { ...running.job };
  }

  /** Begins a drop. */
  drop({ queue, select, save }: DropRequest, who: string | null): Job {
    const { saveDropped, broker } = this.options;
    if (save === 'server' && saveDropped === undefined)
      throw new BoardError(
        'BAD_REQUEST',
        'this server saves nothing',
        'set the option saveDropped, or drop for good',
      );
    const running = this.begin('dead.drop', queue, select, who);
    const { job, where, controller } = running;
    void this.run(running, async () => {
      const file =
        save === 'server' && saveDropped !== undefined
          ? await DroppedFile.open(saveDropped, queue)
          : undefined;
      if (file) job.file = file.name;
      const client = deadLettersOf(broker, { exact: true });
      const onProgress = ({ done }: { done: number }): void => this.progress(running, done);
      try {
        const { signal } = controller;
        const { interrupted, unseen } = await client.drop(queue, {
          where,
          signal,
          onProgress,
          save: (letters) => file?.write(letters) ?? Promise.resolve(),
        });
        this.leave(running, unseen);
        return interrupted ? 'stopped' : 'done';
      } finally {
        await file?.close();
      }
    });
    return { ...job };
  }

  /** Replays one message with another body. */
  async edit({ queue, key, body, force }: EditRequest, who: string | null): Promise<Job> {
    const { readings } = this.options;
    const kept = await readings.find(queue, key);
    const why = readings.whyNotEditable(kept);
    if (why !== null) throw new BoardError('BAD_REQUEST', `this message cannot be edited: ${why}`);
    await this.check(kept.letter, body, force === true);
    const target = ownQueue(queue);
    if (target === null)
      throw new BoardError('BAD_REQUEST', `the name '${queue}' does not say where to replay to`);
    const running = this.begin('dead.edit', queue, { keys: [key] }, who);
    running.job.to = target;
    running.job.outcome = this.isHere(target) ? NOTHING : null;
    await this.run(running, async () => {
      const content = Buffer.from(body);
      await this.send(running, 1, undefined, undefined, content);
      if (running.job.done === 0) throw new BoardError('STALE', 'this message is not in the queue any more');
      return 'done';
    });
    return { ...running.job };
  }

  /** Replays the rest. */
  continue(id: string, rate: number | undefined): Job {
    const running = this.find(id);
    const { job } = running;
    if (job.state !== 'waiting') throw new BoardError('STALE', 'this job does not wait');
    job.state = 'running';
    job.rate = rate ?? job.rate;
    running.controller = new AbortController();
    const to = job.to === ownQueue(job.queue) ? undefined : (job.to ?? undefined);
    void this.run(running, async () => {
      await this.send(running, undefined, job.rate ?? undefined, to);
      return 'done';
    });
    return { ...job };
  }

  /** Ends a job after what is on its way. */
  stop(id: string): Job {
    const running = this.find(id);
    if (running.job.state === 'waiting') this.end(running, 'stopped');
    else if (running.job.state === 'running') running.controller.abort();
    return { ...running.job };
  }

  actOf(id: string): string | undefined {
    return this.all.get(id)?.job.act;
  }

  /** What became of replayed messages. */
  readonly handled = ({ queue, delivery, verdict }: BrokerEventOf<'handled'>): void => {
    const id = delivery.message.properties.messageId;
    if (id === undefined || this.all.size === 0) return;
    for (const { job, replayed } of this.all.values()) {
      if (job.outcome === null || !replayed.has(id) || (job.to !== null && !queue.startsWith(job.to)))
        continue;
      const { ack, retry, deadLetter } = job.outcome;
      const { kind } = delivery.decided ?? verdict;
      if (kind === 'ack' || kind === 'drop') job.outcome = { ack: ack + 1, retry, deadLetter };
      else if (kind === 'retry') job.outcome = { ack, retry: retry + 1, deadLetter };
      else if (kind === 'dead-letter') job.outcome = { ack, retry, deadLetter: deadLetter + 1 };
      else continue;
      this.news.soon(job);
    }
  };

  /** Ends all. */
  close(): void {
    for (const running of this.all.values()) {
      if (running.job.state === 'waiting') this.end(running, 'stopped');
      running.controller.abort();
    }
    this.news.close();
  }

  private begin(act: Job['act'], queue: string, select: Selection, who: string | null): Running {
    const open = [...this.all.values()].filter(({ job }) => job.endedAt === null);
    if (open.some(({ job }) => job.queue === queue))
      throw new BoardError('BUSY', `a job for '${queue}' is open already`, 'continue or stop it first');
    if (open.length >= MOST_OPEN) throw new BoardError('BUSY', `${MOST_OPEN} jobs are open already`);
    const id = randomBytes(6).toString('hex');
    const startedAt = systemClock.wall();
    const { readings } = this.options;
    const reading = readings.latest(queue);
    const chosen = readings.chooses(select);
    const total =
      reading && reading.facts.read === reading.facts.messages ? readings.selected(reading, select) : null;
    const replayed = new Replayed(startedAt);
    const job: State = {
      id,
      act,
      who,
      queue,
      to: null,
      what: describe(
        select,
        reading?.groups.find(({ key }) => 'group' in select && key === select.group),
      ),
      startedAt,
      endedAt: null,
      state: 'running',
      done: 0,
      leftOut: 0,
      total,
      outcome: null,
      rate: null,
      error: null,
      file: null,
    };
    // What failed again since it began is not replayed again by it.
    const where = (letter: DeadLetter): boolean => !replayed.isBack(letter) && chosen(letter);
    const most = 'keys' in select ? select.keys.length : Infinity;
    const running = { job, replayed, most, where, controller: new AbortController() };
    this.all.set(id, running);
    const over = [...this.all.values()].filter((each) => each.job.endedAt !== null);
    for (const old of over.slice(0, Math.max(0, over.length - MOST_OVER))) this.all.delete(old.job.id);
    return running;
  }

  private async run(running: Running, work: () => Promise<'done' | 'waiting' | 'stopped'>): Promise<void> {
    const { job, controller } = running;
    this.news.now(job);
    try {
      const state = await this.options.readings.alone(job.queue, work);
      if (state === 'waiting' && !controller.signal.aborted) {
        job.state = 'waiting';
        this.options.readings.forget(job.queue);
        this.news.now(job);
      } else this.end(running, controller.signal.aborted ? 'stopped' : state === 'waiting' ? 'done' : state);
    } catch (error) {
      job.error = (error instanceof Error ? error.message : String(error)).slice(0, 1_000);
      this.end(running, 'failed');
      if (job.act === 'dead.edit') throw error;
    }
  }

  private end({ job }: Running, state: 'done' | 'stopped' | 'failed'): void {
    job.state = state;
    job.endedAt = systemClock.wall();
    this.options.readings.forget(job.queue);
    this.news.now(job);
    this.options.onEnd({ ...job });
  }

  /** Sends messages to their queue; resolves with how many it sent now. */
  private async send(
    running: Running,
    limit: number | undefined,
    rate: number | undefined,
    to: string | undefined,
    content?: Buffer,
  ): Promise<number> {
    const { job, where, replayed, controller } = running;
    const { signal } = controller;
    const before = job.done;
    const client = deadLettersOf(this.options.broker, {
      exact: true,
      plugins: [watching(replayed, rate, content)],
    });
    const perRound =
      rate === undefined ? limit : Math.max(1, Math.min(limit ?? Infinity, Math.round(rate * ROUND)));
    for (;;) {
      const start = job.done;
      const onProgress = (progress: { done: number }): void => this.progress(running, start + progress.done);
      const batch = rate === undefined ? 100 : Math.max(1, Math.min(100, Math.ceil(rate)));
      const bounds = { ...(perRound !== undefined && { limit: perRound }), ...(to !== undefined && { to }) };
      const { done, interrupted, unseen } = await client.replay(job.queue, {
        where,
        signal,
        onProgress,
        batch,
        ...bounds,
      });
      if (interrupted || limit !== undefined || perRound === undefined || done < perRound) {
        if (limit === undefined || done < limit) this.leave(running, unseen);
        return job.done - before;
      }
    }
  }

  private progress(running: Running, done: number): void {
    running.job.done = done;
    this.news.soon(running.job);
  }

  private leave({ job, most, controller }: Running, unseen: number): void {
    if (!controller.signal.aborted && job.done < most) job.leftOut = unseen;
  }

  private async check(letter: DeadLetter, body: string, force: boolean): Promise<void> {
    const { readings } = this.options;
    const isJson = /json/i.test(letter.properties.contentType ?? '');
    let payload: unknown = body;
    if (isJson) {
      try {
        payload = JSON.parse(body);
      } catch (error) {
        const message = (error as Error).message.slice(0, 300);
        if (!force) throw new BoardError('DOES_NOT_FIT', 'the body is no JSON', '', [{ path: '', message }]);
      }
    }
    if (force) return;
    const schema = readings.schemaOf(letter);
    if (!schema)
      throw new BoardError(
        'DOES_NOT_FIT',
        'no schema is known here to check the body with',
        'send it anyway with force',
      );
    const issues = await issuesOf(schema, payload);
    if (issues.length > 0)
      throw new BoardError('DOES_NOT_FIT', 'the body does not fit the schema of its handler', '', issues);
  }

  private isHere(queue: string): boolean {
    return this.options.broker.details().handlers.some((each) => each.queue === queue);
  }

  private find(id: string): Running {
    const running = this.all.get(id);
    if (!running) throw new BoardError('NOT_FOUND', 'there is no such job');
    return running;
  }
}

const NOTHING = { ack: 0, retry: 0, deadLetter: 0 };

/** A plugin around replays: remembers their ids, spreads them over time, and gives them another body. */
function watching(replayed: Replayed, rate: number | undefined, content: Buffer | undefined): Plugin {
  let next = systemClock.monotonic();
  const turn = async (): Promise<void> => {
    if (rate === undefined) return;
    const now = systemClock.monotonic();
    next = Math.max(next, now);
    const wait = next - now;
    next += 1_000 / rate;
    if (wait > 0) await new Promise<void>((resolve) => void systemClock.after(wait, resolve, true));
  };
  return {
    name: 'board',
    publish: (send) => async (message) => {
      await turn();
      replayed.add(message.properties.messageId);
      return send(content ? message.with({ content }) : message);
    },
  };
}

function describe(
  select: Selection,
  group: { error: string | null; handler: string | null } | undefined,
): string {
  if ('keys' in select) return select.keys.length === 1 ? '1 message' : `${select.keys.length} messages`;
  const what =
    'group' in select ? `all of ${group?.error ?? 'a group'} in ${group?.handler ?? 'the queue'}` : 'all';
  return select.text ? `${what} with '${select.text.slice(0, 100)}'` : what;
}
