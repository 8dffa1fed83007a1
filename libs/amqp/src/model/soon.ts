// Values that are there at once or later. Most steps of a message have nothing to wait for, and a promise for each of
// them would cost more than the steps.

/** A value, or the promise of one. */
export type Soon<T> = T | Promise<T>;

/** What comes of a value when it is there. What throws or rejects is for `fail`; without it, for the next. */
export function soon<T, R>(
  value: Soon<T>,
  then: (value: T) => Soon<R>,
  fail?: (error: unknown) => Soon<R>,
): Soon<R> {
  return value instanceof Promise ? value.then(then, fail) : then(value);
}

/** What `work` comes to, and `fail` of what it throws or rejects with. */
export function attempt<T>(work: () => Soon<T>, fail: (error: unknown) => Soon<T>): Soon<T> {
  try {
    const value = work();
    return value instanceof Promise ? value.catch(fail) : value;
  } catch (error) {
    return fail(error);
  }
}
