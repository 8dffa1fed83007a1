// What a contract asks of the method under a decorator, for the compiler: its first parameter takes the payload,
// its return value is the answer. The names of the properties below are what a reader of the error sees.

import type { OutcomeSignal, SchemaOutput, StandardSchema } from '@warren/amqp';
import type { Observable } from 'rxjs';
import type { NestHandlerOptions, NotOptions, OptionsOrFactory } from './define-handler.js';

/** A decorator that fits only methods for this payload and answer. The payload is the method's first parameter. */
export type HandlerOf<Payload, Answer = unknown> = <Method extends (...args: never[]) => unknown>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method> & Takes<Method, Payload> & Answers<Method, Answer>,
) => void;

/** Options only: a contract of another kind would also match, since all of its members are optional. */
export type NoContract = OptionsOrFactory & { readonly kind?: undefined };

/** Options in which the compiler sees whether there is a `batch`: then `HasBatch` includes null. */
export type BatchOrNot<HasBatch extends null | undefined> =
  OptionsOrFactory | NotOptions<{ readonly batch: SeesBatch<HasBatch> }>;

/**
 * A batch does not fit `HasBatch`, so the compiler takes what `HasBatch` may be, null included. It infers that from both
 * branches although the condition is never true, so wrong names inside `batch` stay errors, and hovers show the option.
 */
type SeesBatch<HasBatch> = HasBatch extends 0
  ? NonNullable<NestHandlerOptions['batch']> | HasBatch
  : undefined;

/** The decorator of messages with this schema, alone or in batches. */
export type Handles<Payload extends StandardSchema | undefined, HasBatch> = HandlerOf<
  null extends HasBatch ? SchemaOutput<Payload>[] : SchemaOutput<Payload>
>;

type Takes<Method, Payload> = [Payload] extends [FirstParameter<Method>]
  ? unknown
  : { readonly 'the first parameter must take the payload of the contract': Payload };

type FirstParameter<Method> = Method extends (first: infer First, ...rest: never[]) => unknown
  ? First
  : never;

type Answers<Method, Answer> = [Produced<Method>] extends [Answer]
  ? unknown
  : { readonly 'the method must return the response of the contract': Answer };

/** What a method answers in the end: its value, or the values of its promise, generator or Observable. */
type Produced<Method> = Method extends (...args: never[]) => infer Returned
  ? Exclude<Settled<Returned>, OutcomeSignal>
  : never;

type Settled<Returned> =
  Returned extends PromiseLike<infer Value>
    ? Settled<Value>
    : Returned extends Observable<infer Value> | AsyncIterable<infer Value>
      ? Value
      : Returned;
