// Replays, edits and drops that run, wait for a go, or have just ended.
import { useSignal } from '@preact/signals';
import type { Job, JobsAnswer } from '../../../src/api.js';
import { count, duration, now } from '../data/format.js';
import { useResource } from '../data/resource.js';
import { may, tried } from '../data/session.js';
import { Button } from '../parts/controls.js';
import { Ago, Tag, type Tone } from '../parts/words.js';

/** How long one that has ended is shown. */
const SHOWN = 60_000;

const nothing: readonly Job[] = [];

/** Those of `queue`, or of all queues. */
export function Jobs({ queue }: { readonly queue?: string }) {
  const { data, reload } = useResource<JobsAnswer>('jobs', ['job'], 15_000);
  const all = useSignal(false);
  const of = (data?.jobs ?? nothing).filter((job) => queue === undefined || job.queue === queue);
  const recent = of.filter(({ endedAt }) => endedAt === null || now.value - endedAt < SHOWN);
  const shown = all.value ? of : recent;
  if (of.length === 0) return null;
  return (
    <section class="jobs" aria-label="Replays and drops">
      <ul>
        {shown.map((job) => (
          <JobRow key={job.id} job={job} reload={reload} />
        ))}
      </ul>
      {of.length > recent.length && (
        <Button kind="quiet" onClick={() => void (all.value = !all.value)}>
          {all.value ? 'Only what runs' : `Ended earlier (${count(of.length - recent.length)})`}
        </Button>
      )}
    </section>
  );
}

const verbs = { 'dead.replay': 'Replay', 'dead.drop': 'Drop', 'dead.edit': 'Edit' } as const;
const tones: Readonly<Record<Job['state'], Tone>> = {
  running: 'accent',
  waiting: 'warn',
  done: 'plain',
  stopped: 'plain',
  failed: 'bad',
};

function JobRow({ job, reload }: { readonly job: Job; readonly reload: () => void }) {
  const {
    id,
    act,
    what,
    queue,
    state,
    done,
    total,
    outcome,
    error,
    file,
    startedAt,
    endedAt,
    to,
    who,
    leftOut,
  } = job;
  const over = endedAt !== null;
  const carryOn = async (): Promise<void> => {
    await tried('job.continue', { job: id }, () => 'The rest is on its way.');
    reload();
  };
  const stop = async (): Promise<void> => {
    await tried('job.stop', { job: id }, ({ job: { done: sofar } }) => `Stopped after ${count(sofar)}.`);
    reload();
  };
  return (
    <li>
      <Tag tone={tones[state]}>{state === 'waiting' ? 'waits for you' : state}</Tag>
      <span>
        <strong>{verbs[act]}</strong> {what}{' '}
        <span class="faint">
          of {queue}
          {to && to !== queue.replace(/\.dead$/, '') ? ` to ${to}` : ''}
        </span>
      </span>
      <span>
        {count(done)}
        {total !== null && ` of ${count(total)}`}
      </span>
      {!over && total !== null && (
        <progress value={done} max={Math.max(1, total)} aria-label={`${count(done)} of ${count(total)}`} />
      )}
      {outcome && act === 'dead.replay' && (
        <span class="faint">
          {count(outcome.ack)} handled
          {outcome.retry > 0 && `, ${count(outcome.retry)} retried`}
          {outcome.deadLetter > 0 && <b class="bad-text">, {count(outcome.deadLetter)} failed again</b>}
        </span>
      )}
      {leftOut > 0 && (
        <span class="warn-text" title="10,000 others are before them: they are reached when those are gone">
          {count(leftOut)} further back not looked at
        </span>
      )}
      {error && <span class="bad-text">{error}</span>}
      {file && <span class="faint">saved as {file}</span>}
      <span class="faint">
        {who && `${who}, `}
        {over ? (
          <>
            <Ago at={endedAt} />, took {duration(endedAt - startedAt)}
          </>
        ) : (
          <Ago at={startedAt} />
        )}
      </span>
      {state === 'waiting' && may('job.continue') && (
        <Button kind="main" icon="play" onClick={carryOn}>
          Replay the rest
        </Button>
      )}
      {!over && may('job.stop') && <Button onClick={stop}>Stop</Button>}
    </li>
  );
}
