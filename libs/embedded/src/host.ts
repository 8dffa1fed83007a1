// Where a broker runs: in this thread, or in a worker that gets the same commands as messages.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { unlockFolder } from './store/folder-lock.js';
import type { BrokerLogger } from './server/server-context.js';
import { type Command, type Result, RunningBroker, type RunningOptions } from './running.js';

export interface Host {
  readonly port: number;
  /** Undefined without the management API. */
  readonly managementPort: number | undefined;
  /** Whether the users of its options can log in. */
  readonly knowsUsers: boolean;
  /** Rejects once the broker is closed, and when something is wrong with the command. */
  perform(command: Command): Promise<Result>;
  close(): Promise<void>;
}

const CLOSED = 'the embedded broker is closed';

export class LocalHost implements Host {
  readonly port: number;
  readonly managementPort: number | undefined;
  readonly knowsUsers: boolean;
  private closed = false;

  private constructor(private readonly broker: RunningBroker) {
    this.port = broker.port;
    this.managementPort = broker.managementPort;
    this.knowsUsers = broker.knowsUsers;
  }

  static async start(options: RunningOptions): Promise<LocalHost> {
    return new LocalHost(await RunningBroker.start(options));
  }

  async perform(command: Command): Promise<Result> {
    if (this.closed) throw new Error(CLOSED);
    return this.broker.perform(command);
  }

  close(): Promise<void> {
    this.closed = true;
    return this.broker.close();
  }
}

/** A message to the worker: a command, or a request to end. */
export type Request =
  { readonly id: number; readonly command: Command } | { readonly id: number; readonly command: 'close' };

/** What comes back. */
export type Answer =
  | {
      readonly kind: 'listening';
      readonly port: number;
      readonly managementPort: number | undefined;
      readonly knowsUsers: boolean;
    }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'refused'; readonly id: number; readonly error: Error }
  | { readonly kind: 'done'; readonly id: number; readonly result: Result }
  | { readonly kind: 'log' | 'warn'; readonly message: string };

interface Waiter {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

export class WorkerHost implements Host {
  port = 0;
  managementPort: number | undefined;
  knowsUsers = false;
  private readonly waiters = new Map<number, Waiter>();
  private serial = 0;
  private gone = false;

  private constructor(
    private readonly worker: Worker,
    private readonly logger: BrokerLogger,
  ) {}

  /** Rejects when the worker cannot listen or cannot be started at all. */
  static start(options: Omit<RunningOptions, 'logger'>, logger: BrokerLogger): Promise<WorkerHost> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(workerFile(), { workerData: options });
      const { threadId } = worker;
      const host = new WorkerHost(worker, logger);
      worker.on('message', (answer: Answer) => {
        if (answer.kind === 'failed') reject(answer.error);
        else if (answer.kind === 'listening') {
          host.port = answer.port;
          host.managementPort = answer.managementPort;
          host.knowsUsers = answer.knowsUsers;
          resolve(host);
        } else host.receive(answer);
      });
      worker.on('error', (error) => {
        logger.warn(`the broker's worker failed: ${String(error)}`);
        reject(error instanceof Error ? error : new Error(String(error)));
      });
      worker.on('exit', () => {
        // One that died has not given it back.
        if (options.data !== undefined) unlockFolder(options.data, threadId);
        host.lost();
        reject(new Error(CLOSED));
      });
    });
  }

  perform(command: Command): Promise<Result> {
    return this.ask((id) => ({ id, command }));
  }

  async close(): Promise<void> {
    // A worker that died has nothing left to close.
    await this.ask((id) => ({ id, command: 'close' })).catch(() => undefined);
    await this.worker.terminate();
  }

  private ask(request: (id: number) => Request): Promise<Result> {
    if (this.gone) return Promise.reject(new Error(CLOSED));
    return new Promise((resolve, reject) => {
      const id = (this.serial += 1);
      this.waiters.set(id, { resolve, reject });
      this.worker.postMessage(request(id));
    });
  }

  private receive(answer: Answer): void {
    if (answer.kind === 'log' || answer.kind === 'warn') this.logger[answer.kind](answer.message);
    if (answer.kind !== 'done' && answer.kind !== 'refused') return;
    const waiter = this.waiters.get(answer.id);
    this.waiters.delete(answer.id);
    if (answer.kind === 'done') waiter?.resolve(answer.result);
    else waiter?.reject(answer.error);
  }

  private lost(): void {
    this.gone = true;
    for (const { reject } of this.waiters.values()) reject(new Error(CLOSED));
    this.waiters.clear();
  }
}

/**
 * Absolute path of the worker's entry, worker.js beside this file. Run from TypeScript sources (jest), the built worker of
 * the package is taken, because a worker thread has no transformer. Throws when the package was not built.
 */
function workerFile(): string {
  const here = thisFile();
  const beside = join(dirname(here), 'worker.js');
  if (existsSync(beside)) return beside;
  const built = join(dirname(here), '..', 'dist', 'esm', 'worker.js');
  if (existsSync(built)) return built;
  throw new Error(
    'the broker cannot run in a worker from sources: build @warren/embedded first, or use worker: false',
  );
}

/**
 * The same source is built as ESM and as CommonJS, and neither `import.meta` nor `__filename` exists in both; a call site
 * knows its file in either.
 */
function thisFile(): string {
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  try {
    Error.prepareStackTrace = (_error, sites) => sites[0]?.getFileName();
    const name: unknown = new Error().stack;
    if (typeof name !== 'string') throw new TypeError('the broker does not find its own files');
    return name.startsWith('file:') ? fileURLToPath(name) : name;
  } finally {
    if (before) Object.defineProperty(Error, 'prepareStackTrace', before);
    else Reflect.deleteProperty(Error, 'prepareStackTrace');
  }
}
