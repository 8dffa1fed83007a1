// What a call that is made inside a handler inherits from the call that the handler answers: the time that is left,
// and the wish to stop. It ends with the handler: work that goes on behind its back has no caller any more.

import { AsyncLocalStorage } from 'node:async_hooks';

/** The call that a handler answers. */
export interface CallScope {
  /** When its caller stops waiting, by the monotonic clock; undefined when it did not say. */
  readonly deadline: number | undefined;
  /** Aborts when the caller left. */
  readonly signal: AbortSignal;
  /** The handler has answered. */
  over: boolean;
}

const scopes = new AsyncLocalStorage<CallScope>();

/** Runs a handler inside the call that it answers. Whoever runs it sets `over` when it has ended. */
export function inCall<Scope extends CallScope, T>(scope: Scope, handler: (scope: Scope) => T): T {
  return scopes.run(scope, handler, scope);
}

/** The call that is being answered where this is asked. */
export function currentCall(): CallScope | undefined {
  const scope = scopes.getStore();
  return scope?.over ? undefined : scope;
}
