// Values that are there at once or later. Most steps of a message have nothing to wait for, and a promise for each of
// them would cost more than the steps.

/** A value, or the promise of one. */
export type MaybePromise<T> = T | Promise<T>;

/** What comes of a value when it is there. What throws or rejects is for `fail`; without it, for the next. */
export function chain<T, R>(
  value: MaybePromise<T>,
  then: (value: T) => MaybePromise<R>,
  fail?: (error: unknown) => MaybePromise<R>,
): MaybePromise<R> {
  return value instanceof Promise ? value.then(then, fail) : then(value);
}

/**
 * `done` with what `run` makes of `input`, or `failed` with what it throws or rejects with. All get `input`: functions
 * that know it by themselves would have to be made for each message.
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
