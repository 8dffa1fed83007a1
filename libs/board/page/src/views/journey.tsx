// The journey of a message: everything that happened to it and to what it caused, in the order of time.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JourneyAnswer, JourneyMessage, JourneyStepRow } from '../../../src/api.js';
import { bytes, count, dateTime, duration, timeOfDay } from '../data/format.js';
import { useResource } from '../data/resource.js';
import { address, go, place } from '../data/router.js';
import { Button, Search } from '../parts/controls.js';
import { Failed, Ago, At, Empty, Name, Skeleton, Tag, Target, type Tone } from '../parts/words.js';
import { View } from '../parts/page.js';
import { NotKnown } from '../parts/unknown.js';

export function Journey() {
  const [id] = place.value.path;
  const typed = useSignal(id ?? '');
  useEffect(() => void (typed.value = id ?? ''), [id]);
  const answer = useResource<JourneyAnswer>(
    id === undefined ? undefined : `journey/${encodeURIComponent(id)}`,
    [],
    20_000,
  );
  return (
    <View
      title="Journey"
      summary={answer.data && <Name>{answer.data.id}</Name>}
      tools={
        <form
          class="tools"
          onSubmit={(event) => {
            event.preventDefault();
            if (typed.value.trim() !== '') go(address('journey', [typed.value.trim()]));
          }}
        >
          <Search
            label="Message id or correlation id"
            value={typed.value}
            onInput={(text) => (typed.value = text)}
          />
          <Button type="submit">Follow</Button>
        </form>
      }
    >
      <div class="scroll" tabIndex={0} role="region" aria-label="Journey">
        {id === undefined && (
          <Empty title="Follow a message">
            Type the id of a message or of a call above. Ids are in log lines, in answers of{' '}
            <code>publish</code>, in dead letters and in the live tail.
          </Empty>
        )}
        {id !== undefined && answer.data && <Story answer={answer.data} />}
        {id !== undefined && !answer.data && answer.error && (
          <Failed error={answer.error} retry={answer.reload} />
        )}
        {id !== undefined && !answer.data && !answer.error && <Skeleton rows={8} />}
      </div>
    </View>
  );
}

function Story({ answer }: { readonly answer: JourneyAnswer }) {
  const { messages, letters, instances, leftOut, unknown } = answer;
  const start = Math.min(...messages.flatMap(({ steps }) => steps.map(({ at }) => at)));
  const without = instances.filter(({ journal }) => journal !== 'answered');
  return (
    <>
      {messages.length === 0 && letters.length === 0 && (
        <Empty title="Nobody knows this id">
          Instances remember the latest messages when they have the plugin <code>journal()</code>. It may be
          too long ago, or another id.
        </Empty>
      )}
      {letters.length > 0 && (
        <ul class="found" aria-label="Dead letters with this id">
          {letters.map((letter) => (
            <li key={`${letter.deadQueue} ${letter.key}`}>
              <Tag tone="bad">dead letter</Tag>
              <a href={address('dead-letters', [letter.deadQueue, letter.key])}>
                {letter.error ?? letter.reason ?? letter.deadQueue}
              </a>
              <span class="faint">
                in {letter.deadQueue}, <Ago at={letter.failedAt ?? undefined} />
              </span>
            </li>
          ))}
        </ul>
      )}
      <ol class="journey">
        {messages.map((message) => (
          <Message key={message.id} message={message} start={start} />
        ))}
      </ol>
      {leftOut > 0 && <p class="note">{count(leftOut)} further messages are left out.</p>}
      {without.length > 0 && messages.length > 0 && (
        <p class="note faint">
          Not asked or not known:{' '}
          {without
            .map(
              ({ service, host, journal }) =>
                `${service} on ${host} (${journal === 'unknown' ? 'no journal' : journal})`,
            )
            .join(', ')}
          .
        </p>
      )}
      <NotKnown unknown={unknown} />
    </>
  );
}

function Message({ message, start }: { readonly message: JourneyMessage; readonly start: number }) {
  const { id, by, exchange, routingKey, steps, depth, leftOut } = message;
  return (
    <li
      style={{ marginLeft: `calc(${Math.min(depth, 6)} * var(--step))` }}
      class={depth > 0 ? 'caused' : undefined}
    >
      <header>
        <strong class="target">
          <Target exchange={exchange} routingKey={routingKey} />
        </strong>
        {by && <span>sent by {by}</span>}
        {depth === 0 && <At at={steps[0]?.at} />}
        <a href={address('journey', [id])}>
          <Name>{id}</Name>
        </a>
      </header>
      <ol>
        {steps.map((step, index) => (
          <Step key={index} step={step} start={start} />
        ))}
      </ol>
      {leftOut > 0 && <p class="faint">{count(leftOut)} further steps</p>}
    </li>
  );
}

function Step({ step, start }: { readonly step: JourneyStepRow; readonly start: number }) {
  const { text, tone } = saying(step);
  const { error, attempt, sent, took, at } = step;
  const after = at - start;
  return (
    <li class={tone}>
      <span class="when" title={dateTime(at)}>
        {after === 0 ? timeOfDay(at) : `+${duration(after)}`}
      </span>
      <span class="what">
        {attempt ? (
          <>
            <a href={address('handlers', [attempt.service, attempt.handler])}>{attempt.handler}</a>{' '}
            <span class="faint">{attempt.service}</span>{' '}
            {attempt.number > 1 && <span>attempt {attempt.number} </span>}
          </>
        ) : (
          <span>
            {sending[sent?.kind ?? 'publish']}{' '}
            <Target exchange={sent?.exchange ?? ''} routingKey={sent?.routingKey ?? null} />{' '}
            <span class="faint">{sent && bytes(sent.bytes)}</span>{' '}
          </span>
        )}
        <Tag tone={tone}>{text}</Tag> {took !== null && <span class="faint">{duration(took)}</span>}
        {attempt !== null && attempt.wait !== null && (
          <span class="faint">, next attempt after {duration(attempt.wait)}</span>
        )}
        {error && (
          <span class="error">
            <span class="bad-text">{error.name}</span>: {error.message}
          </span>
        )}
      </span>
    </li>
  );
}

const sending = {
  publish: 'published to',
  send: 'sent to',
  request: 'called',
  stream: 'called, for a stream,',
  gather: 'asked all of',
  reply: 'replied to',
  retry: 'to be tried again:',
  'dead-letter': 'dead-lettered to',
  replay: 'replayed to',
} as const;

const verdicts: Readonly<Record<string, readonly [string, Tone]>> = {
  ack: ['handled', 'good'],
  drop: ['dropped', 'warn'],
  retry: ['failed, is tried again', 'warn'],
  'dead-letter': ['failed for good', 'bad'],
  requeue: ['back to the queue', 'warn'],
  open: ['left open', 'plain'],
};

function saying({ attempt, sent, took, error, reason }: JourneyStepRow): {
  readonly text: string;
  readonly tone: Tone;
} {
  if (attempt) {
    const [text, tone] = verdicts[attempt.verdict ?? ''] ?? ['is being handled', 'accent'];
    return { text, tone };
  }
  if (sent?.kind === 'dead-letter') return { text: reason ?? 'dead letter', tone: 'bad' };
  if (error) return { text: 'failed', tone: 'bad' };
  if (sent?.routed === false) return { text: 'no queue got it', tone: 'bad' };
  if (took === null) return { text: 'on its way', tone: 'accent' };
  return { text: sent?.kind === 'request' ? 'answered' : 'confirmed', tone: 'plain' };
}
