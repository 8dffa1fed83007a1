// One call while it is answered: it is found by its id when its caller has something to say, it is what calls made
// inside its handler inherit, and the deadline at which its handler is told to stop. One object for all of that, since
// there is one for each call, and as long as it lives all that it holds is copied by the garbage collector.

import type { CallScope } from '../call-scope.js';
import type { Deadline } from '../../runtime/deadlines.js';
import type { Delivery } from '../../message/delivery.js';
import type { Credit } from './reply-stream.js';
import { CallerLeftError, type RunningCall } from './active-calls.js';
import type { HandlerRoom } from '../../consume/step.js';

/** See the top of the file. */
export class Answering implements RunningCall, CallScope, Deadline {
  readonly id: string;
  after: this | undefined;
  tick = 0;
  place = 0;
  over = false;

  constructor(
    private readonly room: HandlerRoom,
    readonly delivery: Delivery,
    /** Of a streamed answer. */
    readonly credit: Credit | undefined,
  ) {
    this.id = delivery.message.properties.correlationId ?? '';
    this.after = undefined;
  }

  get deadline(): number | undefined {
    return this.delivery.run.callerDeadline;
  }

  /** Made when somebody asks: most handlers call nobody. */
  get signal(): AbortSignal {
    return this.delivery.signal;
  }

  /** From now on its caller finds it, and its handler is stopped when the caller's time is over. */
  begin(): void {
    const { room, deadline } = this;
    room.calls.begin(this);
    if (deadline === undefined) return;
    this.delivery.run.deadline = deadline;
    room.deadlines.addAt(deadline, this);
  }

  end(): void {
    const { room } = this;
    this.over = true;
    if (this.deadline !== undefined) room.deadlines.clear(this);
    room.calls.end(this);
  }

  /** Its caller's time is over. */
  onExpired(): void {
    this.delivery.abort(new CallerLeftError());
  }
}
