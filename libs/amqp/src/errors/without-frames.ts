// Errors that are made where frames are read or timers fire, far from whoever gets them: their stacks would name nothing
// but this library, and capturing them takes most of the time when thousands of messages fail together.

/** What `make` makes, without the frames of a stack. */
export function withoutFrames<T extends Error>(make: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
