// What a command of `warren` may use of its process, and its exit codes.

/** Streams, environment and signal of a command. */
export interface Terminal {
  readonly out: (text: string) => void;
  /** Resolves when standard output takes more: what prints much waits for it. Default: at once. */
  readonly drained?: () => Promise<void>;
  readonly err: (text: string) => void;
  /** Path of the started program. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** Exit codes: documented in docs/dead-letters.md, scripts rely on them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  missing: 3,
  unreachable: 4,
  forbidden: 5,
  locked: 6,
  nothing: 7,
  interrupted: 130,
} as const;
