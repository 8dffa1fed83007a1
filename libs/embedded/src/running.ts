// A broker that runs in this thread: the AMQP server, and the management API beside it when that is wanted; and the
// definitions that it begins with, from a file or from a program that has them as an object.
import { readFile } from 'node:fs/promises';
import { ManagementServer } from './management/server.js';
import { type ExportedDefinitions, exportDefinitions } from './server/definitions-export.js';
import { readDefinitions } from './server/definitions-file.js';
import { importDefinitions } from './server/definitions-import.js';
import { type Command as ServerCommand, Listener, type ListenerOptions } from './server/listener.js';

export interface RunningOptions extends ListenerOptions {
  /** Port of the management API, 0 for a free one; undefined without it. */
  readonly management: number | undefined;
  /** What is declared before the first client comes. */
  readonly definitions: DefinitionsFile | undefined;
}

export interface DefinitionsFile {
  /** Where it comes from, for error messages. */
  readonly source: string;
  readonly content: unknown;
}

/** Rejects with an Error that names the file, and the line where it is no JSON. */
export async function definitionsFrom(definitions: string | object): Promise<DefinitionsFile> {
  if (typeof definitions !== 'string') return { source: 'definitions', content: definitions };
  const text = await readFile(definitions, 'utf8');
  try {
    return { source: definitions, content: JSON.parse(text) as unknown };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${definitions}${lineOf(message, text)}: is not JSON: ${message}`, { cause: error });
  }
}

/** Whether there are users among them; then there is no user `guest` unless it is one of them. */
export function hasUsers({ content }: DefinitionsFile): boolean {
  if (typeof content !== 'object' || content === null || !('users' in content)) return false;
  return Array.isArray(content.users) && content.users.length > 0;
}

function lineOf(message: string, text: string): string {
  const position = /at position (\d+)/.exec(message)?.[1];
  return position === undefined ? '' : `:${text.slice(0, Number(position)).split('\n').length}`;
}

/** What the owner of a broker can ask it to do. */
export type Command =
  | ServerCommand
  | { readonly kind: 'importDefinitions'; readonly file: DefinitionsFile }
  | { readonly kind: 'exportDefinitions' };

export type Result = ReturnType<Listener['perform']> | ExportedDefinitions;

export class RunningBroker {
  private constructor(
    private readonly listener: Listener,
    private readonly management: ManagementServer | undefined,
  ) {}

  /** Rejects when an address cannot be listened on, or definitions are wrong. */
  static async start(options: RunningOptions): Promise<RunningBroker> {
    const { host, management, definitions } = options;
    const listener = await Listener.start(options, (administration) => {
      if (definitions) load(administration, definitions);
    });
    if (management === undefined) return new RunningBroker(listener, undefined);
    const where = { host, port: management, amqpPort: listener.port };
    try {
      return new RunningBroker(listener, await ManagementServer.start(listener.administration, where));
    } catch (error) {
      await listener.close();
      throw error;
    }
  }

  get port(): number {
    return this.listener.port;
  }

  /** Whether the users of its options can log in. */
  get knowsUsers(): boolean {
    return this.listener.knowsUsers;
  }

  get managementPort(): number | undefined {
    return this.management?.port;
  }

  /** Throws an Error that says what is wrong with the command. What it changed is in the log when it returns. */
  perform(command: Command): Result {
    try {
      return this.carryOut(command);
    } finally {
      this.listener.administration.context.journal?.write();
    }
  }

  private carryOut(command: Command): Result {
    if (command.kind === 'exportDefinitions') return exportDefinitions(this.listener.administration.context);
    if (command.kind !== 'importDefinitions') return this.listener.perform(command);
    load(this.listener.administration, command.file);
    return undefined;
  }

  async close(): Promise<void> {
    await Promise.all([this.listener.close(), this.management?.close()]);
  }
}

function load(administration: Listener['administration'], { source, content }: DefinitionsFile): void {
  try {
    importDefinitions(administration, readDefinitions(content));
  } catch (error) {
    throw new Error(`${source}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
