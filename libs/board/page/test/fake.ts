// The fake server for tests: it is JavaScript without types; this is what they use of it.
import type { ServerResponse } from 'node:http';
import { fakeServer } from '../fake/server.mjs';

/** An act that was asked for. */
export interface Asked {
  readonly act: string;
  readonly request: unknown;
  readonly token: string;
  readonly at?: number;
}

/** A server with invented answers, and what is to be known and changed of it. */
export interface Fake {
  readonly url: string;
  readonly state: Record<string, unknown> & {
    readonly asked: Asked[];
    readonly paused: Set<string>;
    away: boolean;
    /** By what is asked for, `live` or `acts/publish`: answers in its place. */
    readonly instead: Record<string, ((response: ServerResponse) => void) | undefined>;
    /** Until when acts take. */
    hold: Promise<void> | undefined;
  };
  cut(): void;
  tell(name: string, value: unknown): void;
  close(): Promise<void>;
}

export const startFake = (options: Parameters<typeof fakeServer>[0] = {}): Promise<Fake> =>
  fakeServer(options);
