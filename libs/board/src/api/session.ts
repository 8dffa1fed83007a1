// Who looks, and what this board can do.

import type { Right } from './answers.js';

/** `GET api/session`. The page asks for it first, and again after a 401 or 403. */
export interface Session {
  readonly at: number;
  /** Who it is, as the application says; null when it does not. Acts are audited with it. */
  readonly who: string | null;
  readonly rights: readonly Right[];
  /** To be sent as header `x-warren-token` with every act. */
  readonly token: string;
  /** Acts that this server offers and that the rights allow: show no others. */
  readonly acts: readonly ActName[];
  /** Version of @warren/board. */
  readonly version: string;
  /** The service of this process; `warren-board` stand-alone. */
  readonly service: string;
  /** Name of the connection that it shows. */
  readonly connection: string;
  /** Whether `warren board` runs it: no handlers of its own. */
  readonly standAlone: boolean;
  /** Whether RabbitMQ's management API is configured. Whether it answers, the `unknown` of each answer says. */
  readonly management: boolean;
  /** Whether dropped messages are saved on the server (option `saveDropped`). */
  readonly savesDropped: boolean;
  /** Whether bodies and headers are masked. Then messages cannot be edited. */
  readonly redacts: boolean;
}

/** Acts: what is posted to `api/acts/<name>`. */
export type ActName =
  | 'dead.replay'
  | 'dead.edit'
  | 'dead.drop'
  | 'job.continue'
  | 'job.stop'
  | 'waiting.run-now'
  | 'publish'
  | 'call'
  | 'handler.pause'
  | 'handler.resume'
  | 'handler.prefetch'
  | 'handler.concurrency'
  | 'handler.rate';
