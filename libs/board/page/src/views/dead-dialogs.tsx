// Before dead letters are replayed, dropped or edited: how, and what will happen.
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Issue, LetterAnswer, Selection } from '../../../src/api.js';
import { RequestError } from '../data/client.js';
import { count } from '../data/format.js';
import { say } from '../data/notices.js';
import { act, failed, session, tried } from '../data/session.js';
import { Changes } from '../parts/changes.js';
import { Button, Text } from '../parts/controls.js';
import { Dialog } from '../parts/dialog.js';

export interface ActDialogProps {
  readonly queue: string;
  /** Where replays go. */
  readonly of: string | null;
  readonly select: Selection;
  /** `of this group`. */
  readonly what: string;
  readonly size: number;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function ReplayDialog({ queue, of, select, what, size, onClose, onDone }: ActDialogProps) {
  const careful = useSignal(size > 10);
  const first = useSignal('5');
  const rate = useSignal('');
  const to = useSignal(of ?? '');
  const wrongFirst = careful.value ? outside(first.value, 1, 1_000) : undefined;
  const wrongRate = rate.value === '' ? undefined : outside(rate.value, 1, 10_000);
  const submit = async (): Promise<void> => {
    if (wrongFirst || wrongRate || to.value === '') return;
    const request = {
      queue,
      select,
      ...(careful.value && { first: Number(first.value) }),
      ...(rate.value && { rate: Number(rate.value) }),
      ...(to.value !== of && { to: to.value }),
    };
    const answer = await tried('dead.replay', request, ({ job }) =>
      job.state === 'waiting'
        ? `The first ${count(job.done)} are replayed. See what becomes of them, then replay the rest.`
        : `Replay of ${count(size)} has begun.`,
    );
    if (answer === undefined) return;
    onDone();
    onClose();
  };
  return (
    <Dialog
      title={`Replay ${count(size)} ${what}`}
      onClose={onClose}
      onSubmit={submit}
      buttons={<Buttons onClose={onClose} text="Replay" />}
    >
      <Text
        label="To queue"
        mono
        value={to.value}
        onInput={(text) => (to.value = text)}
        required
        hint={
          of === null
            ? 'The name of the dead-letter queue does not say where they came from.'
            : 'They go back to where they failed, unless you name another queue.'
        }
      />
      {size > 1 && (
        <label class="check">
          <input type="checkbox" checked={careful.value} onChange={() => (careful.value = !careful.value)} />
          <span>
            A few first, then ask me
            <br />
            <span class="faint">The rest waits until you have seen what becomes of them.</span>
          </span>
        </label>
      )}
      <div class="columns">
        {careful.value && (
          <Text
            label="How many first"
            type="number"
            value={first.value}
            onInput={(text) => (first.value = text)}
            error={wrongFirst}
          />
        )}
        {size > 1 && (
          <Text
            label="At most per second"
            type="number"
            value={rate.value}
            onInput={(text) => (rate.value = text)}
            placeholder="as fast as it goes"
            error={wrongRate}
          />
        )}
      </div>
    </Dialog>
  );
}

const outside = (text: string, least: number, most: number): string | undefined =>
  /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most
    ? undefined
    : `A whole number from ${least} to ${most}.`;

function Buttons({
  onClose,
  text,
  danger,
  disabled,
}: {
  readonly onClose: () => void;
  readonly text: string;
  readonly danger?: boolean;
  readonly disabled?: boolean;
}) {
  return (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button type="submit" kind={danger ? 'danger' : 'main'} disabled={disabled === true}>
        {text}
      </Button>
    </>
  );
}

export function DropDialog({ queue, select, what, size, onClose, onDone }: ActDialogProps) {
  const saves = session.value?.savesDropped ?? false;
  const save = useSignal(saves);
  const typed = useSignal('');
  const sure = save.value || typed.value === queue;
  const submit = async (): Promise<void> => {
    if (!sure) return;
    const answer = await tried(
      'dead.drop',
      { queue, select, save: save.value ? 'server' : 'none' },
      ({ job }) =>
        job.endedAt === null
          ? `Dropping ${count(size)} has begun.`
          : `${count(job.done)} dropped${job.file ? `, saved as ${job.file}` : ''}.`,
    );
    if (answer === undefined) return;
    onDone();
    onClose();
  };
  return (
    <Dialog
      title={`Drop ${count(size)} ${what}`}
      onClose={onClose}
      onSubmit={submit}
      buttons={<Buttons onClose={onClose} text="Drop" danger disabled={!sure} />}
    >
      <p>
        {size === 1 ? 'It is' : 'They are'} removed from {queue}.{' '}
        {save.value
          ? 'Each is saved in a file on the server before it is removed.'
          : `Nothing of ${size === 1 ? 'it' : 'them'} is kept.`}
      </p>
      {saves ? (
        <label class="check">
          <input type="checkbox" checked={save.value} onChange={() => (save.value = !save.value)} />
          <span>Save {size === 1 ? 'it' : 'them'} on the server first</span>
        </label>
      ) : (
        <p class="faint">This server does not save what is dropped: that needs the option saveDropped.</p>
      )}
      {!save.value && (
        <Text
          label={`Type ${queue} to drop ${size === 1 ? 'it' : 'them'} for good`}
          mono
          value={typed.value}
          onInput={(text) => (typed.value = text)}
        />
      )}
    </Dialog>
  );
}

export interface EditDialogProps {
  readonly queue: string;
  readonly letter: LetterAnswer;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function EditDialog({ queue, letter, onClose, onDone }: EditDialogProps) {
  // A field makes each end of a line a line feed: it is sent as it came. Texts with several kinds of them are not edited.
  const [end = '\n'] = /\r\n?/.exec(letter.body.text) ?? [];
  const before = letter.body.text.replaceAll(end, '\n');
  const body = useSignal(before);
  const issues = useSignal<readonly Issue[]>(letter.issues ?? []);
  /** What the issues were found in. */
  const checked = useSignal(before);
  const refused = useSignal(false);
  const notJson = letter.body.kind === 'json' ? broken(body.value) : undefined;
  const sending = useRef(false);
  const close = (): void => {
    if (body.value === letter.body.text || confirm('Close it? What you have changed is lost.')) onClose();
  };
  const send = async (force: boolean): Promise<void> => {
    if (sending.current) return;
    sending.current = true;
    try {
      const text = body.value.replaceAll('\n', end);
      await act('dead.edit', { queue, key: letter.letter.key, body: text, ...(force && { force }) });
      say('done', 'The edited message was replayed, and its dead letter removed.');
      onDone();
      onClose();
    } catch (error) {
      if (!(error instanceof RequestError) || error.code !== 'DOES_NOT_FIT') return failed(error);
      issues.value = error.issues.length > 0 ? error.issues : [{ path: '', message: error.message }];
      checked.value = body.value;
      refused.value = true;
    } finally {
      sending.current = false;
    }
  };
  return (
    <Dialog
      wide
      title="Edit and replay"
      onClose={close}
      onSubmit={() => send(false)}
      buttons={
        <>
          <Button onClick={close}>Cancel</Button>
          {refused.value && (
            <Button kind="danger" onClick={() => send(true)}>
              Replay although it does not fit
            </Button>
          )}
          <Button kind="main" type="submit" disabled={notJson !== undefined}>
            Replay edited
          </Button>
        </>
      }
    >
      <div class="edit">
        <Text
          label="Body"
          mono
          lines={22}
          value={body.value}
          onInput={(text) => (body.value = text)}
          error={notJson}
          hint={
            letter.issues === null
              ? 'No schema of its handler is known here: it is not checked.'
              : 'It is checked against the schema of its handler before it is sent.'
          }
        />
        <Changes before={before} after={body.value} />
      </div>
      <Issues
        issues={issues.value}
        title={body.value === checked.value ? undefined : 'Found before your latest changes:'}
      />
    </Dialog>
  );
}

function broken(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `Not JSON: ${(error as Error).message}`;
  }
}

export function Issues({
  issues,
  title,
}: {
  readonly issues: readonly Issue[];
  readonly title?: string | undefined;
}) {
  if (issues.length === 0) return null;
  return (
    <div class="issues" role="alert">
      {title && <p>{title}</p>}
      <ul>
        {issues.map(({ path, message }) => (
          <li key={`${path} ${message}`}>
            {path && <code>{path}</code>} {message}
          </li>
        ))}
      </ul>
    </div>
  );
}
