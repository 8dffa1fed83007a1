// Questions and answers as bytes. Whoever may publish to the exchange asks, and whoever may bind to it answers, so both
// are checked: their size, depth and every field.

import { EncodeError } from '../errors/errors.js';
import { holdsMoreThan, parseJson } from '../message/codecs/codecs.js';
import { describeError } from '../runtime/logger.js';
import type { FleetAnswer, FleetErrorCode, FleetInstance } from './fleet.js';

/** Direct. Keys: the service, the id of an instance, '' for all. */
export const FLEET_EXCHANGE = 'warren.control';

/** Bytes of the bodies. */
export const MOST_QUESTION = 64 * 1_024;
export const MOST_ANSWER = 256 * 1_024;

/** Objects and arrays in one of them. */
const MOST_CONTAINERS = 20_000;

const KIND = /^[a-z][a-z0-9.-]{0,63}$/;

/** Whether it can be the name of a kind of questions. */
export const isKind = (kind: string): boolean => KIND.test(kind);

/** What is asked. */
export interface Question {
  readonly kind: string;
  readonly payload: unknown;
}

/** @throws EncodeError */
export function writeQuestion(kind: string, payload: unknown): Buffer {
  if (!isKind(kind)) {
    throw new EncodeError(
      `the kind of a question must match ${String(KIND)}, but is '${String(kind).slice(0, 80)}'`,
      '',
    );
  }
  let text: string;
  try {
    text = JSON.stringify({ kind, payload });
  } catch (error) {
    throw new EncodeError(`the question cannot be written as JSON: ${describeError(error)}`, '', error);
  }
  const content = Buffer.from(text);
  if (content.length <= MOST_QUESTION) return content;
  throw new EncodeError(`the question has ${content.length} bytes; the limit is ${MOST_QUESTION}`, '');
}

/** Undefined for what is none. */
export function readQuestion(content: Buffer): Question | undefined {
  const read = readObject(content, MOST_QUESTION);
  if (typeof read?.kind !== 'string' || !isKind(read.kind)) return undefined;
  return { kind: read.kind, payload: read.payload };
}

/** An answer without who gives it. */
export type AnswerContent =
  | { readonly value: unknown }
  | { readonly error: { readonly code: FleetErrorCode; readonly message: string } };

/** Never throws: a value that cannot be sent is an error. */
export function writeAnswer(from: FleetInstance, content: AnswerContent): Buffer {
  const failed = (code: FleetErrorCode, message: string): Buffer =>
    Buffer.from(JSON.stringify({ from, error: { code, message } }));
  let body: Buffer;
  try {
    body = Buffer.from(JSON.stringify({ from, ...content }));
  } catch {
    return failed('failed', 'the answer cannot be written as JSON');
  }
  if (body.length <= MOST_ANSWER) return body;
  return failed('too-large', `the answer has ${body.length} bytes; the limit is ${MOST_ANSWER}`);
}

/** Undefined for what is none. */
export function readAnswer(content: Buffer): FleetAnswer | undefined {
  const read = readObject(content, MOST_ANSWER);
  const from = read && instanceOf(read.from);
  if (!read || !from) return undefined;
  if (read.error === undefined) return { from, value: read.value };
  const { code, message } = objectOf(read.error) ?? {};
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  return { from, error: { code: code.slice(0, 64), message: message.slice(0, 1_000) } };
}

function instanceOf(given: unknown): FleetInstance | undefined {
  const { id, service, connection, host, pid, version, applicationVersion, startedAt } =
    objectOf(given) ?? {};
  const texts = [id, service, connection, host, version, startedAt];
  if (!texts.every(isShort) || id === '' || !Number.isSafeInteger(pid)) return undefined;
  if (applicationVersion !== undefined && !isShort(applicationVersion)) return undefined;
  if (!(Date.parse(startedAt as string) >= 0)) return undefined;
  return {
    id,
    service,
    connection,
    host,
    pid,
    version,
    startedAt,
    ...(applicationVersion !== undefined && { applicationVersion }),
  } as FleetInstance;
}

const isShort = (value: unknown): value is string => typeof value === 'string' && value.length <= 255;

function readObject(content: Buffer, most: number): Readonly<Record<string, unknown>> | undefined {
  if (content.length > most || holdsMoreThan(MOST_CONTAINERS, content)) return undefined;
  try {
    return objectOf(parseJson(content.toString()));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}
