// One dead letter: why it failed, its body with what the schema says, its headers, and what can be done with it.
import { useSignal } from '@preact/signals';
import type { LetterAnswer, LetterRow } from '../../../src/api.js';
import { useResource } from '../data/resource.js';
import { address } from '../data/router.js';
import { may } from '../data/session.js';
import { BodySection, Copy, FieldsSection } from '../parts/body.js';
import { Button } from '../parts/controls.js';
import { Pane, Section } from '../parts/pane.js';
import { At, Fact, Facts, Failed, Name, Skeleton, Tag } from '../parts/words.js';
import { DropDialog, EditDialog, Issues, ReplayDialog } from './dead-dialogs.js';
import { GroupName } from './dead-letters.js';

export interface LetterPaneProps {
  readonly queue: string;
  readonly letterKey: string;
  /** Known before the rest has come. */
  readonly row: LetterRow | undefined;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function LetterPane({ queue, letterKey, row, onClose, onDone }: LetterPaneProps) {
  const path = `dead-letters/${encodeURIComponent(queue)}/letters/${encodeURIComponent(letterKey)}`;
  const { data, error, reload } = useResource<LetterAnswer>(path, [], Infinity);
  const letter = data?.letter ?? row;
  return (
    <Pane
      title={letter?.error ?? letter?.reason ?? 'Dead letter'}
      sub={
        letter && (
          <>
            {letter.handler && <span>{letter.handler}</span>} <Name>{letter.id ?? undefined}</Name>
          </>
        )
      }
      onClose={onClose}
      actions={data && <Actions queue={queue} answer={data} onDone={onDone} onClose={onClose} />}
    >
      {data && <Content answer={data} />}
      {!data && error && <Failed error={error} retry={reload} />}
      {!data && !error && <Skeleton rows={8} />}
    </Pane>
  );
}

function Actions({
  queue,
  answer,
  onDone,
  onClose,
}: {
  readonly queue: string;
  readonly answer: LetterAnswer;
  readonly onDone: () => void;
  readonly onClose: () => void;
}) {
  const asking = useSignal<'replay' | 'edit' | 'drop' | undefined>(undefined);
  const { letter, notEditable } = answer;
  const done = (): void => {
    onDone();
    onClose();
  };
  const shared = {
    queue,
    of: letter.queue,
    select: { keys: [letter.key] },
    what: 'dead letter',
    size: 1,
    onClose: () => void (asking.value = undefined),
    onDone: done,
  };
  return (
    <>
      {may('dead.replay') && (
        <Button icon="replay" kind="main" onClick={() => void (asking.value = 'replay')}>
          Replay
        </Button>
      )}
      {may('dead.edit') && (
        <Button
          icon="edit"
          disabled={notEditable !== null}
          title={notEditable ?? 'Change the body, and replay it'}
          onClick={() => void (asking.value = 'edit')}
        >
          Edit
        </Button>
      )}
      {may('dead.drop') && (
        <Button icon="drop" kind="danger" onClick={() => void (asking.value = 'drop')}>
          Drop
        </Button>
      )}
      {letter.id !== null && (
        <a class="button" href={address('journey', [letter.id])}>
          Journey
        </a>
      )}
      {asking.value === 'replay' && <ReplayDialog {...shared} />}
      {asking.value === 'drop' && <DropDialog {...shared} />}
      {asking.value === 'edit' && (
        <EditDialog queue={queue} letter={answer} onClose={shared.onClose} onDone={done} />
      )}
    </>
  );
}

function Content({ answer }: { readonly answer: LetterAnswer }) {
  const { letter, errorStack, issues, headers, properties, body, traceId, correlationId } = answer;
  return (
    <>
      <Section title="Why" aside={errorStack && <Copy text={errorStack} what="Stack" />}>
        <p class="why">
          <GroupName group={letter} />
          {letter.errorMessage && <span>: {letter.errorMessage}</span>}
        </p>
        {errorStack && (
          <pre class="code stack" tabIndex={0} aria-label="Stack">
            {errorStack}
          </pre>
        )}
      </Section>
      {issues !== null && issues.length > 0 && (
        <Section title="What the schema finds wrong">
          <Issues issues={issues} />
        </Section>
      )}
      <BodySection body={body} />
      <Section title="Message">
        <Facts>
          <Fact name="Failed">
            <At at={letter.failedAt ?? undefined} />
          </Fact>
          <Fact name="Attempts">
            {letter.attempts}
            {letter.replayed > 0 && (
              <>
                , <Tag tone="warn">replayed {letter.replayed} times before</Tag>
              </>
            )}
          </Fact>
          <Fact name="Reason">{letter.reason}</Fact>
          <Fact name="Failed in">
            <Name>{letter.queue ?? undefined}</Name>
          </Fact>
          <Fact name="Published to">
            <code>{letter.exchange || '(default exchange)'}</code> <code>{letter.routingKey}</code>
          </Fact>
          <Fact name="Correlation id" hidden={correlationId === null}>
            <code>{correlationId}</code>
          </Fact>
          <Fact name="Trace" hidden={traceId === null}>
            <code>{traceId}</code>
          </Fact>
          <Fact name="Place in the queue">{letter.position}</Fact>
        </Facts>
      </Section>
      <FieldsSection title="Headers" fields={headers} />
      <FieldsSection title="Properties" fields={properties} />
    </>
  );
}
