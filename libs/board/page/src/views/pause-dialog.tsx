// Pausing and resuming a handler: at once where only this process can do it, else after asking where.
import type { HandlerRow } from '../../../src/api.js';
import { tried } from '../data/session.js';
import { Button } from '../parts/controls.js';
import { Dialog } from '../parts/dialog.js';
import { Everywhere, handlerOf, outcome, useEverywhere } from './everywhere.js';

export type Turn = 'handler.pause' | 'handler.resume';

/** Does it, and says what became of it. */
export const turnHandler = (row: HandlerRow, turn: Turn, everywhere = false): Promise<unknown> =>
  tried(turn, handlerOf(row, everywhere), (answer) =>
    outcome(`${row.id} ${turn === 'handler.pause' ? 'is paused' : 'consumes again'}`, answer),
  );

interface PauseDialogProps {
  readonly row: HandlerRow;
  readonly turn: Turn;
  readonly onClose: () => void;
  readonly reload: () => void;
}

export function PauseDialog({ row, turn, onClose, reload }: PauseDialogProps) {
  const all = useEverywhere(row);
  const word = turn === 'handler.pause' ? 'Pause' : 'Resume';
  const submit = async (): Promise<void> => {
    if ((await turnHandler(row, turn, all.value)) === undefined) return;
    reload();
    onClose();
  };
  return (
    <Dialog
      title={`${word} ${row.id}`}
      onClose={onClose}
      onSubmit={submit}
      buttons={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="main" type="submit">
            {word}
          </Button>
        </>
      }
    >
      <Everywhere row={row} all={all} />
    </Dialog>
  );
}
