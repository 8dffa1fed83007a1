// The steps every delivery goes through, outermost first. docs/lifecycle.md draws them; a test holds the
// two together.

import { decode } from './steps/decode.js';
import { observe } from './steps/observe.js';
import { reply } from '../rpc/server/rpc-step.js';
import { retry } from './steps/retry.js';
import { timeout } from './steps/timeout.js';
import { turn } from './steps/order.js';
import type { Step } from './step.js';

/** observe → reply → retry → turn → timeout → decode → the handler. */
export const order: readonly Step[] = [observe, reply, retry, turn, timeout, decode];
