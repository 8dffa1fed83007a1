// What `stream()` returns: an iterator that makes its call when it is first read, and lets go of it the moment it is
// told to, also while an item is being waited for, which an async generator could not.

import type { StandardSchema } from '../../message/schema.js';
import { validate } from '../../message/schema.js';
import type { ReplyStream } from './stream.js';

/** A call that was made, and what its items must be. */
export interface BegunStream {
  readonly stream: ReplyStream<unknown>;
  readonly schema: StandardSchema | undefined;
}

type Result = IteratorResult<unknown, undefined>;

const DONE: Result = { done: true, value: undefined };

/** See the top of the file. Iterate it once. */
export class StreamReader implements AsyncIterableIterator<unknown, undefined> {
  private begun: Promise<BegunStream> | undefined;
  private over = false;

  constructor(private readonly begin: () => Promise<BegunStream>) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Result> {
    if (this.over) return DONE;
    try {
      const { stream, schema } = await (this.begun ??= this.begin());
      const item = await stream.next();
      if (!item.done) return { done: false, value: schema ? await validate(schema, item.value) : item.value };
    } catch (error) {
      void this.return();
      throw error;
    }
    this.over = true;
    return DONE;
  }

  return(): Promise<Result> {
    this.over = true;
    // A call that could not be made was told to whoever asked for an item.
    this.begun?.then(
      ({ stream }) => stream.return(),
      () => undefined,
    );
    return Promise.resolve(DONE);
  }

  async throw(error: unknown): Promise<Result> {
    await this.return();
    throw error;
  }
}
