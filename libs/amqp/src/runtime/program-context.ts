// The async context (AsyncLocalStorage) of the program, for work that must not see the context of whoever happened to open
// the connection, to publish in the same turn or to handle the message before.

import { AsyncResource } from 'node:async_hooks';

/**
 * The context of when this library was loaded. Work is run in it with an AsyncResource of its own around it: what the work
 * enters (`enterWith`) would stay in this one for good.
 */
export const programContext = new AsyncResource('WARREN');
