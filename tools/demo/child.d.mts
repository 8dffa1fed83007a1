// Types of child.mjs for the tests, which start the applications as the demo does.

/** A line of an application with --json; other lines are `{ event: 'line', text }`. */
export interface ChildEvent {
  readonly event: string;
  readonly text?: string;
  readonly [fact: string]: unknown;
}

/** How a process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A Node process whose lines are waited for. */
export class Child {
  constructor(label: string, args: readonly string[], env?: NodeJS.ProcessEnv);
  readonly pid: number | undefined;
  readonly events: readonly ChildEvent[];
  readonly complaints: string;
  readonly ended: Promise<ChildEnd>;
  /** Texts of the messages that a consumer got so far. */
  readonly got: string[];
  all(event: string): ChildEvent[];
  wait(event: string, count?: number, limit?: number): Promise<ChildEvent[]>;
  stop(): Promise<ChildEnd>;
  kill(): Promise<ChildEnd>;
  signal(name: NodeJS.Signals): void;
}

/** Ends all that still run. */
export function endAll(): Promise<void>;
