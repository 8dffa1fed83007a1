// What a journal tells other processes: bounded, and without ids that are secrets. Messages are told apart by a digest of
// their id, so that what two processes know of one can be put together.

import { createHash } from 'node:crypto';
import {
  journey,
  type JourneyRecord,
  type JourneyStore,
  type MessageJourney,
  type Found,
} from './journey.js';

/** One message as an answer tells it. */
export interface ToldJourney extends Omit<MessageJourney, 'depth'> {
  /** Digest of its id, the same in all processes. */
  readonly key: string;
  /** Digest of the id of the message that caused it. */
  readonly causeKey?: string;
  /** Its id is not told. */
  readonly hidden?: boolean;
}

/** The answer of one journal. */
export interface JourneyAnswer {
  /** Broker objects that share a journal all answer for it. */
  readonly journal: string;
  readonly messages: readonly ToldJourney[];
  /** How many messages are missing, since the answer would be too large. */
  readonly leftOut: number;
}

/** Ids that one question may have, and their characters. */
export const MOST_IDS = 200;
export const LONGEST_ID = 1_000;

/** Bytes of an answer, which must fit into one of the fleet. */
const MOST_BYTES = 200_000;

/** Answers the question `{ ids, bodies }`. What is something else is answered with nothing. */
export function journeyAnswer(journal: string, store: JourneyStore, question: unknown): JourneyAnswer {
  const { ids, bodies } = (question ?? {}) as { readonly ids?: unknown; readonly bodies?: unknown };
  const wanted = (Array.isArray(ids) ? ids.slice(0, MOST_IDS) : []).filter(isId);
  const messages: ToldJourney[] = [];
  let bytes = 0;
  let leftOut = 0;
  for (const found of store.find(wanted)) {
    const told = toldJourney(journal, found, bodies === true);
    const size = Buffer.byteLength(JSON.stringify(told));
    if (bytes + size > MOST_BYTES) leftOut++;
    else {
      bytes += size;
      messages.push(told);
    }
  }
  return { journal, messages, leftOut };
}

const isId = (id: unknown): id is string => typeof id === 'string' && id !== '' && id.length <= LONGEST_ID;

function toldJourney(journal: string, found: Found<JourneyRecord>, bodies: boolean): ToldJourney {
  const { depth: _, body, ...told } = journey(found);
  const { id, causationId, correlationId, hidden } = found.found;
  const cause = causationId ?? correlationId;
  return {
    ...told,
    ...(bodies && body !== undefined && { body }),
    // Numbers of messages without an id mean something in one journal only.
    key: digest(/^\(no id \d+\)$/.test(id) ? `${journal} ${id}` : id),
    ...(cause !== undefined && cause !== id && { causeKey: digest(cause) }),
    ...(hidden && { hidden }),
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
