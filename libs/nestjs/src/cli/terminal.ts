// What a command of `warren` sees of the world, and how it tells a script what came of it.

/** The world of a command. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Path of the program that was started. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborts when somebody wants it to stop. */
  readonly signal: AbortSignal;
}

/** Exit codes. They are in docs/dead-letters.md, and scripts rely on them. */
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
