// What two services agree on, as a value that both import: the name of a queue, the key of an event or the pattern
// of a call, with the schemas of what travels. A contract stands wherever the name alone could stand; it adds types
// at compile time and validation at both ends.

import { ConfigError, EncodeError } from '../errors/errors.js';
import { schema } from '../options/option-checks.js';
import type { ErrorClass } from '../options/options.js';
import type { StandardSchema } from './schema.js';

type MaybeSchema = StandardSchema | undefined;

/** What a sender may give so that a schema accepts it; `unknown` without a schema. */
export type SchemaInput<Schema> = TypesOf<Schema> extends { readonly input: infer Input } ? Input : unknown;

/** What a receiver gets from a schema; `unknown` without a schema. */
export type SchemaOutput<Schema> =
  TypesOf<Schema> extends { readonly output: infer Output } ? Output : unknown;

type TypesOf<Schema> = Schema extends { readonly '~standard': { readonly types?: infer Types } }
  ? NonNullable<Types>
  : { readonly input: unknown; readonly output: unknown };

/** A queue and what is in it. Made by `queue()`. */
export interface QueueContract<Payload extends MaybeSchema = MaybeSchema> {
  readonly kind: 'queue';
  readonly name: string;
  readonly payload: Payload;
}

/** An event: its routing key, with places such as `{id}`, and what it carries. Made by `event()`. */
export interface EventContract<Key extends string = string, Payload extends MaybeSchema = MaybeSchema> {
  readonly kind: 'event';
  /** As it was given: `order.{id}.created`. */
  readonly key: Key;
  /** What a subscriber binds with: `order.*.created`. */
  readonly pattern: string;
  readonly payload: Payload;
}

/** A call: its pattern, what goes, what comes back, and the errors that are rebuilt at the caller. Made by `rpc()`. */
export interface RpcContract<
  Request extends MaybeSchema = MaybeSchema,
  Response extends MaybeSchema = MaybeSchema,
> {
  readonly kind: 'rpc';
  readonly pattern: string;
  readonly request: Request;
  readonly response: Response;
  readonly errors: readonly ErrorClass[];
}

/** Any of the three. */
export type Contract = QueueContract | EventContract | RpcContract;

/** The names of the places in an event's key. */
type PlacesOf<Key extends string> = Key extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PlacesOf<Rest>
  : never;

/** A word for each place of an event's key. */
export type EventParams<Key extends string> = Readonly<Record<PlacesOf<Key>, string | number>>;

/** What goes with a queue, an event or a pattern: as its contract says, or anything for a plain name. */
export type PayloadOf<Target> = Target extends { readonly kind: 'rpc'; readonly request: infer Schema }
  ? SchemaInput<Schema>
  : Target extends { readonly payload: infer Schema }
    ? SchemaInput<Schema>
    : unknown;

/** The last parameter of `publish`: options, which an event with places needs for its `params`. */
export type PublishArguments<Target, Options> =
  Target extends EventContract<infer Key>
    ? string extends Key
      ? [options?: Options & { readonly params?: Readonly<Record<string, string | number>> }]
      : [PlacesOf<Key>] extends [never]
        ? [options?: Options]
        : [options: Options & { readonly params: EventParams<Key> }]
    : [options?: Options];

const PLACE = /^\{([A-Za-z_]\w*)\}$/;

/**
 * A queue with the schema of its messages, for `@Consume` and `publisher.send`.
 *
 * @throws ConfigError when the name is empty, or the payload is no schema
 */
export function queue<Payload extends MaybeSchema = undefined>(
  name: string,
  { payload }: { readonly payload?: Payload } = {},
): QueueContract<Payload> {
  assertName(name, 'queue()');
  assertSchema(payload, `queue('${name}')`, 'payload');
  return Object.freeze({ kind: 'queue', name, payload: payload as Payload });
}

/**
 * An event for `@Subscribe` and `publisher.publish`. Words in braces are places that each publish fills:
 * `event('order.{id}.created', { payload })` is published with `params: { id }` and subscribed to as `order.*.created`.
 *
 * @throws ConfigError when a place is not a whole word, or used twice, or the payload is no schema
 */
export function event<const Key extends string, Payload extends MaybeSchema = undefined>(
  key: Key,
  { payload }: { readonly payload?: Payload } = {},
): EventContract<Key, Payload> {
  assertName(key, 'event()');
  assertSchema(payload, `event('${key}')`, 'payload');
  const places = new Set<string>();
  const words = key.split('.').map((word) => {
    const name = PLACE.exec(word)?.[1];
    if (name === undefined && !/[{}*#]/.test(word)) return word;
    if (name === undefined || places.has(name)) {
      throw new ConfigError(
        `event('${key}'): '${word}' is neither a literal word nor a {placeholder}`,
        'a placeholder is a whole word with a unique name, as in order.{id}.created',
      );
    }
    places.add(name);
    return '*';
  });
  return Object.freeze({ kind: 'event', key, pattern: words.join('.'), payload: payload as Payload });
}

/**
 * A call for `@RpcHandler` and `publisher.request`. Errors named here travel as what they are: their message and
 * fields reach the caller, who catches the same class.
 *
 * @throws ConfigError when the pattern is empty, or the request or the response is no schema
 */
export function rpc<Request extends MaybeSchema = undefined, Response extends MaybeSchema = undefined>(
  pattern: string,
  parts: {
    readonly request?: Request;
    readonly response?: Response;
    readonly errors?: readonly ErrorClass[];
  } = {},
): RpcContract<Request, Response> {
  assertName(pattern, 'rpc()');
  assertSchema(parts.request, `rpc('${pattern}')`, 'request');
  assertSchema(parts.response, `rpc('${pattern}')`, 'response');
  return Object.freeze({
    kind: 'rpc',
    pattern,
    request: parts.request as Request,
    response: parts.response as Response,
    errors: Object.freeze([...(parts.errors ?? [])]),
  });
}

/** Whether a value is a contract and no plain name. */
export function isContract(value: unknown): value is Contract {
  if (typeof value !== 'object' || value === null) return false;
  const { kind } = value as { kind?: unknown };
  return kind === 'queue' || kind === 'event' || kind === 'rpc';
}

/** The routing key of one event. @throws EncodeError when a place is left open or filled with more than one word */
export function eventKey(
  { key }: EventContract,
  params: Readonly<Record<string, string | number>> = {},
): string {
  const words = key.split('.').map((word) => {
    const place = PLACE.exec(word)?.[1];
    if (place === undefined) return word;
    const value: unknown = Object.hasOwn(params, place) ? params[place] : undefined;
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text === 'string' && text !== '' && !text.includes('.')) return text;
    throw new EncodeError(
      `the event '${key}' requires one word for {${place}}`,
      `pass params: { ${place}: ... } without dots, which would change the routing`,
    );
  });
  return words.join('.');
}

/** The words that a routing key has in the places of an event; undefined when it is no key of that event. */
export function eventParams<Key extends string>(
  { key }: EventContract<Key>,
  routingKey: string,
): Readonly<Record<PlacesOf<Key>, string>> | undefined {
  const wanted = key.split('.');
  const words = routingKey.split('.');
  const params: Record<string, string> = {};
  const fits = wanted.every((word, index) => {
    const place = PLACE.exec(word)?.[1];
    if (place !== undefined && words[index] !== undefined) params[place] = words[index];
    return place === undefined ? word === words[index] : words[index] !== undefined;
  });
  return fits && words.length === wanted.length ? (params as Record<PlacesOf<Key>, string>) : undefined;
}

function assertName(name: unknown, maker: string): void {
  if (typeof name === 'string' && name !== '') return;
  throw new ConfigError(`${maker} has no name`, 'pass the queue, key or pattern as the first argument');
}

function assertSchema(given: unknown, what: string, part: string): void {
  const wanted = given === undefined ? undefined : schema(given);
  if (wanted === undefined) return;
  throw new ConfigError(`${what}: ${part} must be ${wanted}`, 'what zod, valibot or arktype make is one');
}
