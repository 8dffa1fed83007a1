// Acts on a handler reach this process, or all instances of its service where the server can do that.
import { type Signal, useSignal } from '@preact/signals';
import type { HandlerActAnswer, HandlerRow } from '../../../src/api.js';
import { counted } from '../data/format.js';

/** Whether to reach all instances; to begin with, where only that can be done or where it was paused so. */
export function useEverywhere(row: HandlerRow): Signal<boolean> {
  return useSignal(
    row.everywhere && (!isHere(row) || row.instances.some(({ control }) => control?.pausedEverywhere)),
  );
}

export const isHere = ({ instances }: HandlerRow): boolean => instances.some(({ here }) => here);

/** The part of a request that says which handler, and where. */
export const handlerOf = ({ id, service }: HandlerRow, everywhere: boolean) =>
  everywhere ? { handler: id, everywhere, service } : { handler: id };

/** What became of it. `text`: `Orders.place is paused`. */
export function outcome(text: string, { inForce, everywhere }: HandlerActAnswer): string {
  if (everywhere === null) return `${text}${inForce ? '' : ', when what runs has ended'}.`;
  const { done, failed, silent } = everywhere;
  const why = failed.map(({ instance, reason }) => ` ${instance.host}, process ${instance.pid}: ${reason}.`);
  const quiet = silent.length > 0 ? ` ${counted(silent.length, 'instance')} did not answer.` : '';
  return `${text} in ${counted(done.length, 'instance')}.${why.join('')}${quiet}`;
}

/** The choice, where there is one, and what it means. */
export function Everywhere({ row, all }: { readonly row: HandlerRow; readonly all: Signal<boolean> }) {
  return (
    <>
      {row.everywhere && (
        <label class="check">
          <input
            type="checkbox"
            role="switch"
            checked={all.value}
            disabled={!isHere(row)}
            onChange={() => (all.value = !all.value)}
          />
          <span>In all instances of {row.service}</span>
        </label>
      )}
      <p class="faint">
        {all.value
          ? 'Now, and in instances that start later, until it is changed in all of them again.'
          : 'In this process only, until it ends.'}{' '}
        Handlers of the same queue change together.
      </p>
    </>
  );
}
