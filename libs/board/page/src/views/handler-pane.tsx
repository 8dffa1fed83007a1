// One handler: its rate and latency of the last ten minutes, outcomes, errors, instances, and what can be changed.
import { useSignal } from '@preact/signals';
import type { HandlerActAnswer, HandlerFigures, HandlerRow, Spread } from '../../../src/api.js';
import { count, duration, rate } from '../data/format.js';
import { address } from '../data/router.js';
import { may, session, tried } from '../data/session.js';
import { Chart, Parts } from '../parts/chart.js';
import { Button, Text } from '../parts/controls.js';
import { Dialog } from '../parts/dialog.js';
import { Pane, Section } from '../parts/pane.js';
import { Ago, Fact, Facts, Name, Since, Tag } from '../parts/words.js';
import { Everywhere, handlerOf, outcome, useEverywhere } from './everywhere.js';
import { stateOf } from './handlers.js';
import { PauseDialog, type Turn, turnHandler } from './pause-dialog.js';

export interface HandlerPaneProps {
  readonly row: HandlerRow;
  readonly onClose: () => void;
  readonly reload: () => void;
}

export function HandlerPane({ row, onClose, reload }: HandlerPaneProps) {
  const { text, tone, why } = stateOf(row);
  const { figures, onBroker } = row;
  return (
    <Pane
      title={row.id}
      onClose={onClose}
      sub={
        <>
          <span>{row.service}</span>
          <Tag tone={tone === 'plain' ? 'good' : tone}>{text}</Tag>
          {why && <span class="bad-text">{why}</span>}
        </>
      }
      actions={<Actions row={row} reload={reload} />}
    >
      {figures ? <Figures figures={figures} /> : <NoFigures />}
      <Section title="Queue">
        <Facts>
          <Fact name="Queue">
            <Name>{row.queue}</Name>
          </Fact>
          <Fact name="Keys" hidden={row.patterns === null}>
            <code>{row.patterns?.join(', ')}</code>
          </Fact>
          <Fact name="Waiting, in flight" hidden={onBroker === null}>
            {count(onBroker?.ready ?? 0)}, {count(onBroker?.unacked ?? 0)}
          </Fact>
          <Fact name="Type, consumers" hidden={onBroker === null}>
            {onBroker?.type}, {onBroker?.consumers}
          </Fact>
          <Fact name="Attempts at most" hidden={row.attempts === null}>
            {row.attempts}
          </Fact>
          <Fact name="Failures end in" hidden={row.deadQueue === null}>
            <a href={address('dead-letters', [row.deadQueue ?? ''])}>{row.deadQueue}</a>
          </Fact>
          <Fact name="Schema" hidden={row.schema === null}>
            {row.schema ? 'yes' : 'none'}
          </Fact>
        </Facts>
      </Section>
      <Instances row={row} />
    </Pane>
  );
}

function NoFigures() {
  return (
    <Section title="Figures">
      <p class="faint">
        No instance of it measures. Instances measure when they have the module of the board.
      </p>
    </Section>
  );
}

function Figures({ figures }: { readonly figures: HandlerFigures }) {
  const { history, lastMinute, verdicts, attempts, errors } = figures;
  const seconds = history.step / 1_000;
  const times = history.handled.map((_, index) => history.from / 1_000 + index * seconds);
  const perSecond = (values: readonly number[]): number[] => values.map((value) => value / seconds);
  return (
    <>
      <Section title="Handled per second">
        <Chart
          label={`Now ${rate(lastMinute.perSecond)}, of them ${rate(lastMinute.failedPerSecond)} failing`}
          times={times}
          text={rate}
          lines={[
            { title: 'Handled', values: perSecond(history.handled), colour: '--accent' },
            { title: 'Failing', values: perSecond(history.failed), colour: '--bad' },
          ]}
        />
      </Section>
      <Section title="Time that 95 % took at most">
        <Chart
          label={lastMinute.took ? `Now ${duration(lastMinute.took.p95)}` : 'Nothing during the last minute'}
          times={times}
          text={duration}
          lines={[{ title: 'p95', values: history.p95, colour: '--accent' }]}
        />
        <Facts>
          <Fact name="Took, last minute">
            <Spreads spread={lastMinute.took} />
          </Fact>
          <Fact name="Age at first attempt">
            <Spreads spread={lastMinute.age} />
          </Fact>
        </Facts>
      </Section>
      <Section
        title="Outcomes"
        aside={
          <span>
            in <Since at={figures.since} />
          </span>
        }
      >
        <Parts
          parts={[
            { name: 'acked', value: verdicts.ack, tone: 'accent' },
            { name: 'retried', value: verdicts.retry, tone: 'warn' },
            { name: 'dead-lettered', value: verdicts.deadLetter, tone: 'bad' },
            { name: 'dropped', value: verdicts.drop, tone: 'muted' },
            { name: 'requeued', value: verdicts.requeue, tone: 'muted' },
            { name: 'left open', value: verdicts.open, tone: 'muted' },
          ]}
        />
        {attempts.length > 1 && (
          <p class="faint">
            Attempts: {attempts.map((value, index) => `${nth(index + 1)} ${count(value)}`).join(', ')}
          </p>
        )}
      </Section>
      {errors.length > 0 && (
        <Section title="Errors">
          <ul class="errors">
            {errors.map(({ error, count: times, lastAt, message }) => (
              <li key={error}>
                <strong class="bad-text">{error}</strong> <span>{count(times)} times, last</span>{' '}
                <Ago at={lastAt} />
                {message && <p class="faint">{message}</p>}
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}

const nth = (number: number): string =>
  number >= 10 ? '10th and later' : `${number}${['th', 'st', 'nd', 'rd'][number] ?? 'th'}`;

function Spreads({ spread }: { readonly spread: Spread | null }) {
  if (spread === null) return <span class="faint">nothing handled</span>;
  return (
    <span>
      {duration(spread.p50)} half, {duration(spread.p95)} p95, {duration(spread.max)} most
    </span>
  );
}

function Instances({ row }: { readonly row: HandlerRow }) {
  return (
    <Section title={`Instances (${row.instances.length})`}>
      <ul class="cards">
        {row.instances.map((each) => (
          <li key={each.id}>
            <div>
              <strong>{each.host}</strong> <span class="faint">process {each.pid}</span>{' '}
              {each.here && <Tag>this one</Tag>}
            </div>
            <div class="faint">
              {each.ready ? (
                'consuming'
              ) : (
                <span class="bad-text">
                  not ready
                  {each.notReadySince && (
                    <>
                      {' '}
                      for <Since at={each.notReadySince} />
                    </>
                  )}
                </span>
              )}
              , {count(each.inFlight)} in flight
              {each.control && <Controls control={each.control} />}
            </div>
            {each.lastError && <p class="bad-text">{each.lastError}</p>}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Controls({
  control,
}: {
  readonly control: NonNullable<HandlerRow['instances'][number]['control']>;
}) {
  const { prefetch, concurrency, rate: limit, breaker, paused } = control;
  const parts = [
    paused && (control.pausedEverywhere ? 'paused in all instances' : 'paused'),
    prefetch !== null && `prefetch ${prefetch}`,
    concurrency !== null && `concurrency ${concurrency}`,
    limit !== null && `at most ${limit}`,
    breaker !== null && `breaker ${breaker}`,
  ].filter(Boolean);
  return <>{parts.map((part) => `, ${part}`)}</>;
}

interface Setting {
  readonly act: 'handler.prefetch' | 'handler.concurrency' | 'handler.rate';
  readonly title: string;
  readonly hint: string;
}

const settings: readonly Setting[] = [
  {
    act: 'handler.prefetch',
    title: 'Prefetch',
    hint: 'Messages that an instance holds at a time, 1 to 65535.',
  },
  {
    act: 'handler.concurrency',
    title: 'Concurrency',
    hint: 'Messages that an instance handles at a time, 1 to 65535.',
  },
  { act: 'handler.rate', title: 'Rate limit', hint: 'As 100/s or 20/m. Empty for no limit.' },
];

function Actions({ row, reload }: { readonly row: HandlerRow; readonly reload: () => void }) {
  const asking = useSignal<Setting | undefined>(undefined);
  const turning = useSignal<Turn | undefined>(undefined);
  const here = row.instances.find((each) => each.here);
  const isHere = here !== undefined && row.service === session.value?.service;
  if (!isHere && !row.everywhere) return null;
  const paused = (here ?? row.instances.find(({ control }) => control?.paused))?.control?.paused ?? false;
  const turn: Turn = paused ? 'handler.resume' : 'handler.pause';
  const change = async (): Promise<void> => {
    if (row.everywhere) return void (turning.value = turn);
    await turnHandler(row, turn);
    reload();
  };
  const offered = settings.filter(({ act }) => may(act));
  if (!may(turn) && offered.length === 0) return null;
  return (
    <>
      {may(turn) && (
        <Button icon={paused ? 'play' : 'pause'} kind={paused ? 'main' : 'plain'} onClick={change}>
          {paused ? 'Resume' : 'Pause'}
        </Button>
      )}
      {offered.map((setting) => (
        <Button key={setting.act} onClick={() => void (asking.value = setting)}>
          {setting.title}
        </Button>
      ))}
      {turning.value && (
        <PauseDialog
          row={row}
          turn={turning.value}
          onClose={() => (turning.value = undefined)}
          reload={reload}
        />
      )}
      {asking.value && (
        <SettingDialog
          row={row}
          setting={asking.value}
          onClose={() => (asking.value = undefined)}
          reload={reload}
        />
      )}
    </>
  );
}

interface SettingDialogProps {
  readonly row: HandlerRow;
  readonly setting: Setting;
  readonly onClose: () => void;
  readonly reload: () => void;
}

function SettingDialog({ row, setting: { act, title, hint }, onClose, reload }: SettingDialogProps) {
  const all = useEverywhere(row);
  const control = (row.instances.find(({ here }) => here) ?? row.instances[0])?.control;
  const now = {
    'handler.prefetch': control?.prefetch,
    'handler.concurrency': control?.concurrency,
    'handler.rate': control?.rate,
  }[act];
  const value = useSignal(String(now ?? ''));
  const isRate = act === 'handler.rate';
  const wrong = isRate
    ? undefined
    : /^\d+$/.test(value.value) && Number(value.value) >= 1 && Number(value.value) <= 65_535
      ? undefined
      : 'A whole number from 1 to 65535.';
  const submit = async (): Promise<void> => {
    if (wrong) return;
    const of = handlerOf(row, all.value);
    const done = (answer: HandlerActAnswer): string =>
      outcome(`${title} of ${row.id} is ${value.value || 'unlimited'} now`, answer);
    const answer = isRate
      ? await tried(act, { ...of, value: value.value.trim() || null }, done)
      : await tried(act, { ...of, value: Number(value.value) }, done);
    if (answer === undefined) return;
    reload();
    onClose();
  };
  return (
    <Dialog
      title={`${title} of ${row.id}`}
      onClose={onClose}
      onSubmit={submit}
      buttons={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="main" type="submit" disabled={wrong !== undefined}>
            Set
          </Button>
        </>
      }
    >
      <Text
        label={title}
        value={value.value}
        onInput={(text) => (value.value = text)}
        hint={hint}
        error={value.value === '' ? undefined : wrong}
      />
      <Everywhere row={row} all={all} />
    </Dialog>
  );
}
