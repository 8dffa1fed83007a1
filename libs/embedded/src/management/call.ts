// One request to the management API as its handlers see it, and what they answer.
import type { User } from '../model/access.js';
import { badRequest } from '../model/refusal.js';
import type { Plain } from '../wire/plain.js';
import type { Management } from './management.js';

export type Body = { readonly [name: string]: Plain };

/** One request. Path and query are decoded, the body is parsed and bounded; nothing of it is checked. */
export interface Call {
  readonly management: Management;
  readonly user: User;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Body;
  /** Header `x-reason`, for connections that are closed. */
  readonly reason: string | undefined;
}

export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  /** The body as JSON, instead of `body`. */
  readonly text?: string;
  readonly location?: string;
}

export type Handler = (call: Call) => Reply;

export const ok = (body: unknown): Reply => ({ status: 200, body });
export const done: Reply = { status: 204 };
export const created: Reply = { status: 201 };
export const failed = (status: number, error: string, reason: unknown): Reply => ({
  status,
  body: { error, reason },
});
export const notFound = failed(404, 'Object Not Found', 'Not Found');

/** 201 for what is new, 204 for what was there. */
export const put = (isNew: boolean): Reply => (isNew ? created : done);

/** Throws a Refusal that lists what the body lacks, as RabbitMQ does. */
export function requireKeys(body: Body, ...names: readonly string[]): void {
  const missing = names.filter((name) => body[name] === undefined);
  if (missing.length === 0) return;
  throw badRequest(`[${missing.map((name) => `{key_missing,${name}}`).join(',')}]`);
}

/** A text of the body, or the default. Throws a Refusal for anything else. */
export function textOf(body: Body, name: string, usual?: string): string {
  const value = body[name] ?? usual;
  if (typeof value === 'string') return value;
  throw badRequest(`${name} must be a string`);
}

/** A flag of the body; `"true"` is one too. Throws a Refusal for anything else. */
export function flagOf(body: Body, name: string, usual = false): boolean {
  const value = body[name] ?? usual;
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  throw badRequest(`not_boolean: ${JSON.stringify(value)}`);
}

/** An object of the body; an empty list stands for an empty one. Throws a Refusal for anything else. */
export function objectOf(body: Body, name: string): Body {
  const value = body[name] ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Body;
  if (Array.isArray(value) && value.length === 0) return {};
  throw badRequest(`${name} must be an object`);
}
