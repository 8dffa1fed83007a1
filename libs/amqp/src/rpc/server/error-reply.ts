// What a remote caller may know about an error: what was meant for it, what both sides registered, else the class of
// the error and an id that is in our log. Never a stack.

import { isError } from '../../errors/is-error.js';
import { randomUUID } from 'node:crypto';
import type { RemoteErrorFacts } from '../../message/codecs/codec.js';
import { RabbitError } from '../../errors/errors.js';
import { knownErrorFacts } from '../../errors/known-errors.js';
import { describeError, printable } from '../../runtime/logger.js';
import { OutcomeSignal } from '../../errors/signals.js';
import { thrownFacts, thrownValue, type ThrownFacts } from '../../errors/error-facts.js';
import type { RpcContext } from './rpc-context.js';

/** The facts that travel. */
export function callerErrorFacts(context: RpcContext, error: unknown): RemoteErrorFacts {
  const shared = context.plan.rpc && knownErrorFacts(context.plan.rpc.known, error);
  if (shared) return shared;
  const known = context.remoteError?.(error);
  if (known) return known;
  const facts = isError(error) ? told(thrownFacts(error)) : thrownValue(error);
  const code = codeOf(error);
  if (context.settings.rpc.exposeErrors || isForCaller(error)) {
    return { ...facts, ...(code === undefined ? {} : { code }) };
  }
  const id = randomUUID();
  context.logger.error(
    `${context.plan.id}: error ${id} for a remote caller: ${printable(describeError(error))}`,
  );
  return {
    name: facts.name,
    message: `internal error ${id}`,
    code: error instanceof RabbitError ? error.code : 'INTERNAL',
  };
}

// A stack never travels.
function told({ name, message }: ThrownFacts): Pick<RemoteErrorFacts, 'name' | 'message'> {
  return { name, message };
}

// Other errors of this library that a handler runs into (a publish of its own that failed) are its own affair.
function isForCaller(error: unknown): boolean {
  if (error instanceof OutcomeSignal) return true;
  return error instanceof RabbitError && ABOUT_THE_CALL.has(error.code);
}

const ABOUT_THE_CALL = new Set([
  'WARREN_CALLER_LEFT',
  'WARREN_DECODE',
  'WARREN_ENCODE',
  'WARREN_HANDLER_TIMEOUT',
  'WARREN_MESSAGE_ID_REUSED',
  'WARREN_NO_HANDLER',
  'WARREN_TOO_LARGE',
  'WARREN_POISON',
  'WARREN_READER_IDLE',
  'WARREN_RPC_PROTOCOL',
  'WARREN_SHUTTING_DOWN',
]);

function codeOf(error: unknown): string | number | undefined {
  try {
    const { code } = (error ?? {}) as { code?: unknown };
    return typeof code === 'string' || typeof code === 'number' ? code : undefined;
  } catch {
    return undefined;
  }
}
