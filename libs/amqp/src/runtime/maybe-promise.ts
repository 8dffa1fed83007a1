// Values that may be synchronous or a promise. Most steps of a message are synchronous, and a promise for each of
// them would cost more than the step.

/** A value, or the promise of one. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Calls the next function with the value when it is available. A throw or rejection goes to `fail`; without it, to
 * the next.
 */
export function chain<T, R>(
  value: MaybePromise<T>,
  then: (value: T) => MaybePromise<R>,
  fail?: (error: unknown) => MaybePromise<R>,
): MaybePromise<R> {
  return value instanceof Promise ? value.then(then, fail) : then(value);
}

/**
 * `done` with the result of `run(input)`, or `failed` with its throw or rejection. All of them get `input`, so that
 * no closures are created for each message.
 */
export function tryChain<Input, T, R>(
  run: (input: Input) => MaybePromise<T>,
  input: Input,
  done: (value: T, input: Input) => MaybePromise<R>,
  failed: (error: unknown, input: Input) => MaybePromise<R>,
): MaybePromise<R> {
  let value: MaybePromise<T>;
  try {
    value = run(input);
  } catch (error) {
    return failed(error, input);
  }
  return value instanceof Promise ? later(value, input, done, failed) : done(value, input);
}

function later<Input, T, R>(
  promise: Promise<T>,
  input: Input,
  done: (value: T, input: Input) => MaybePromise<R>,
  failed: (error: unknown, input: Input) => MaybePromise<R>,
): Promise<R> {
  return promise.then(
    (value) => done(value, input),
    (error) => failed(error, input),
  );
}
