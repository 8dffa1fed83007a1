// Who looks and what they may do, and acts: each is asked of the server, which decides, and each says what came of it.
import { signal } from '@preact/signals';
import type { ActAnswer, ActName, ActRequest, Session } from '../../../src/api.js';
import { get, post, RequestError } from './client.js';
import { onChange } from './live.js';
import { say } from './notices.js';

export const session = signal<Session | undefined>(undefined);

/** Why there is none. */
export const sessionError = signal<RequestError | undefined>(undefined);

export async function loadSession(): Promise<void> {
  try {
    session.value = await get<Session>('session');
    sessionError.value = undefined;
  } catch (error) {
    sessionError.value = error as RequestError;
  }
}

// The application may have been started again, with other rights.
onChange((topic) => topic === 'again' && void loadSession());

/** Whether to offer an act. The server decides again. */
export const may = (name: ActName): boolean => session.value?.acts.includes(name) ?? false;

/** Does it. @throws RequestError */
export async function act<Name extends ActName>(
  name: Name,
  request: ActRequest<Name>,
): Promise<ActAnswer<Name>> {
  try {
    return await post<ActAnswer<Name>>(`acts/${name}`, request, session.value?.token ?? '');
  } catch (error) {
    if (!(error instanceof RequestError) || (error.status !== 401 && error.status !== 403)) throw error;
    // The token may be of a process that is gone: once more with the one of now.
    const before = session.value?.token;
    await loadSession();
    if (session.value === undefined || session.value.token === before || !may(name)) throw error;
    return post<ActAnswer<Name>>(`acts/${name}`, request, session.value.token);
  }
}

/** The same for a button: says what was done, or why not. Resolves to undefined when it failed. */
export async function tried<Name extends ActName>(
  name: Name,
  request: ActRequest<Name>,
  done: (answer: ActAnswer<Name>) => string,
): Promise<ActAnswer<Name> | undefined> {
  try {
    const answer = await act(name, request);
    say('done', done(answer));
    return answer;
  } catch (error) {
    failed(error);
    return undefined;
  }
}

/** Says why something failed. */
export function failed(error: unknown): void {
  if (error instanceof RequestError) say('failed', error.message, error.help || undefined);
  else say('failed', 'Something went wrong in this page', String(error));
}
