// The steps every delivery goes through, outermost first. docs/lifecycle.md draws them; a test holds the
// two together.

import type { Step } from './step.js';
import { decode } from './steps/decode.js';
import { observe } from './steps/observe.js';
import { order } from './steps/order.js';
import { retry } from './steps/retry.js';
import { timeout } from './steps/timeout.js';

/** The steps of a process: observe → reply → retry → order → timeout → decode → the handler. Without calls, none replies. */
export function pipelineSteps(reply: Step = passThrough): readonly Step[] {
  return [observe, reply, retry, order, timeout, decode];
}

const passThrough: Step = () => (next) => next;
