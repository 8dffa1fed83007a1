// Requests to the server. Addresses are relative to where the page was loaded from, so any prefix works.
import type { ErrorAnswer, Issue } from '../../../src/api.js';

/** Where the API is: this file is in `assets`, beside which it is. */
const base = new URL(import.meta.env.DEV ? '/api/' : '../api/', import.meta.url);

/** A request that was not answered as it should be. The message is for people, and `help` says what to do. */
export class RequestError extends Error {
  /** `status` is 0 when no answer came at all. */
  constructor(
    message: string,
    readonly status: number,
    readonly code = '',
    readonly help = '',
    readonly issues: readonly Issue[] = [],
  ) {
    super(message);
  }
}

export const apiUrl = (path: string): URL => new URL(path, base);

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request<T>(path, { signal: signal ?? null });
}

export async function post<T>(path: string, body: unknown, token: string): Promise<T> {
  return request<T>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-warren-token': token },
    body: JSON.stringify(body),
  });
}

async function request<T>(path: string, init: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(apiUrl(path), { ...init, credentials: 'same-origin' });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new RequestError(
      'The application does not answer.',
      0,
      '',
      isAct(init) ? PERHAPS_DONE : 'See whether it runs. This page asks again by itself.',
    );
  }
  const body: unknown = await answer.json().catch(() => undefined);
  if (answer.ok && body !== undefined) return body as T;
  throw errorOf(answer.status, body, isAct(init) && (answer.ok || answer.status >= 500) ? PERHAPS_DONE : '');
}

const isAct = ({ method }: RequestInit): boolean => method === 'POST';

/** Of an act without an answer, or with that of a proxy. */
const PERHAPS_DONE = 'It may have been done or not: look before you do it again.';

/** Why the server refuses a stream, which an `EventSource` does not say; undefined when it does not refuse it. */
export async function refusalOf(stream: URL): Promise<RequestError | undefined> {
  const asking = new AbortController();
  try {
    const answer = await fetch(stream, { credentials: 'same-origin', signal: asking.signal });
    if (answer.headers.get('content-type')?.startsWith('text/event-stream')) return undefined;
    return errorOf(answer.status, await answer.json().catch(() => undefined));
  } catch {
    return undefined;
  } finally {
    asking.abort();
  }
}

/** `help`: what to do where the answer is none of the board. */
function errorOf(status: number, body: unknown, help = ''): RequestError {
  const { error } = (body ?? {}) as Partial<ErrorAnswer>;
  if (typeof error?.message === 'string')
    return new RequestError(error.message, status, error.code, error.help, error.issues);
  return status === 413
    ? new RequestError('It is larger than the application accepts.', status, '', TOO_LARGE)
    : new RequestError(said(status), status, '', help);
}

const TOO_LARGE =
  'Its body parser has a limit, 100 kB by default in Nest: docs/board.md says how to raise it.';

function said(status: number): string {
  if (status === 401) return 'You are not signed in. Reload the page.';
  if (status === 403) return 'You do not have the right to do this.';
  if (status === 404) return 'There is no such thing, or no longer.';
  return `The server answered with ${status}, and not as a board does. Its log may say more.`;
}
