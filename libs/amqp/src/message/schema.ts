// The part of the Standard Schema specification (version 1) that is needed to validate payloads: zod,
// valibot, arktype and others implement it. Types only, so that none of them becomes a dependency; and the
// one function that applies a schema.

import { DecodeError, EncodeError, type DecodeIssue } from '../errors/errors.js';

/** Anything that follows https://standardschema.dev, version 1. */
export interface StandardSchema<Output = unknown> {
  /** What the specification asks of a schema. */
  readonly '~standard': {
    /** Version of the specification. */
    readonly version: 1;
    /** Name of the library that made the schema. */
    readonly vendor: string;
    /** The value as the schema makes it, or what is wrong with it. */
    validate(value: unknown): SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the compiler only. */
    readonly types?:
      | {
          /** Type of what may be validated. */
          readonly input: unknown;
          /** Type of what `validate` returns. */
          readonly output: Output;
        }
      | undefined;
  };
}

/** What `validate` answers. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

/** One finding. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What the schema makes of a value. @throws DecodeError with the schema's findings. */
export async function validate(schema: StandardSchema, value: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(value);
  if (!result.issues) return result.value;
  const issues = result.issues.map(toIssue);
  const shown = issues.slice(0, 5).map(({ path, message }) => (path ? `${path}: ${message}` : message));
  throw new DecodeError(`the payload does not match its schema: ${shown.join('; ')}`, '', issues);
}

function toIssue(issue: SchemaIssue): DecodeIssue {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return { path, message: issue.message };
}

/**
 * Checks what is about to be sent. What the schema would change is changed at the receiver, so that it happens once.
 *
 * @throws EncodeError with the schema's findings
 */
export async function assertFits(
  schema: StandardSchema | undefined,
  value: unknown,
  what: string,
): Promise<void> {
  try {
    if (schema) await validate(schema, value);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new EncodeError(`${what}: ${error.message}`, 'it was not sent', error);
  }
}
