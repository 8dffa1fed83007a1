// Options of the board, and what is made of them. Invalid ones are errors when the module is imported.

import { ConfigError, type Journal } from '@warren/nestjs';
import type { CanActivate, Type } from '@nestjs/common';
import type { Fields, Right } from './api/answers.js';

/** A request, as the HTTP platform (Express or Fastify) gives it. What guards have put there is there: `request.user`. */
export interface BoardRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly [property: string]: unknown;
}

/** What somebody may do: false for nothing at all; with their name for the audit. */
export type BoardAccess =
  | false
  | readonly Right[]
  | {
      /** Name or id of the user, for the audit. Default: none. */
      readonly who?: string | undefined;
      /** What the user may do. `look` is always among them, unless there are none. */
      readonly rights: readonly Right[];
    };

/** What is hidden of a message before it leaves the server. */
export interface Redacted {
  /** The payload to show in its place. */
  readonly payload: unknown;
  /** The headers to show in their place. */
  readonly headers: Fields;
}

/** What the board may need to know, except where it is mounted. All have defaults. */
export interface BoardOptions {
  /**
   * Who may do what: gets each request. Default: those who pass `guards` have the option `rights`; without `guards`, everybody on this
   * machine (requests to localhost) has, and with NODE_ENV `production` the application does not start.
   */
  readonly access?: ((request: BoardRequest) => BoardAccess | Promise<BoardAccess>) | undefined;
  /** Rights of those whom `access` is not asked for. Default `['look']`: read-only. */
  readonly rights?: readonly Right[] | undefined;
  /** Masks payloads and headers before they leave the server, in all views. Messages can then not be edited. Default: all is shown. */
  readonly redact?: ((payload: unknown, headers: Fields) => Redacted) | undefined;
  /**
   * URL of RabbitMQ's management API with user and password: `http://user:password@host:15672`; false for none. Default: the
   * environment variable RABBITMQ_MANAGEMENT_URL. Without it, lengths of queues and the topology as it is are not known.
   */
  readonly management?: string | false | undefined;
  /** A folder in which dropped messages are saved before they are deleted. Default: none, they can only be dropped for good. */
  readonly saveDropped?: string | undefined;
  /** The journal of this process, to ask when there is no fleet: see docs/journey.md. Default: none. */
  readonly journal?: Journal | undefined;
  /** Signs the tokens of acts. Set it, the same in all processes, when several of them serve one address. Default: random. */
  readonly secret?: string | undefined;
  /** Called for every act, done or refused; for people without any right at most 100 times in a minute. Default: it is only logged. */
  readonly onAct?: ((act: BoardAct) => void) | undefined;
}

/** An act, for the audit. */
export interface BoardAct {
  /** In milliseconds since 1970. */
  readonly at: number;
  /** As `access` says; undefined when it does not. */
  readonly who: string | undefined;
  /** `dead.replay`, `publish`, ... */
  readonly act: string;
  /** Queue, handler, exchange and key: what it was done to. From the request, or a message: escape it where it is printed. */
  readonly target: string;
  /** How it ended. `refused`: no right, wrong token, another site. */
  readonly result: 'done' | 'started' | 'failed' | 'refused';
  /** Numbers, or why it failed. */
  readonly text: string;
}

/** Where the board is mounted, who guards it, and what it shows: known before there are providers. */
export interface BoardMount {
  /** Below the global prefix of the application. Default `/warren`. */
  readonly path?: string | undefined;
  /** Guards of all its routes, before `access`. Default: only those of the application. */
  readonly guards?: readonly (Type<CanActivate> | CanActivate)[] | undefined;
  /** The connection to show, by the name that `forRoot` gave it. Default: the default connection. */
  readonly connection?: string | undefined;
}

/** Options, complete. */
export interface BoardSettings extends BoardOptions {
  readonly management: string | undefined;
  readonly rights: readonly Right[];
  /** Nobody is asked who it is: only for this machine. */
  readonly open: boolean;
}

export const RIGHTS: readonly Right[] = ['look', 'replay', 'edit', 'control'];

/** @throws ConfigError */
export function boardSettings(options: BoardOptions, { guards = [] }: BoardMount): BoardSettings {
  const { rights = ['look'], access } = options;
  const wrong = rights.find((right) => !RIGHTS.includes(right));
  if (wrong !== undefined)
    throw new ConfigError(`the board has no right '${wrong}'`, `the rights are ${RIGHTS.join(', ')}`);
  const open = access === undefined && guards.length === 0;
  if (open && process.env.NODE_ENV === 'production') {
    throw new ConfigError(
      'the board would be open to everybody (NODE_ENV is production)',
      'give BoardModule guards, or access: (request) => rights',
    );
  }
  const given = options.management ?? process.env.RABBITMQ_MANAGEMENT_URL;
  const management = given === false || given === '' ? undefined : given;
  if (management !== undefined && !URL.canParse(management))
    throw new ConfigError(
      'the URL of the management API is invalid',
      'write http://user:password@host:15672',
    );
  return { ...options, rights, open, management };
}
