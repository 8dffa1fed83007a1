// What all producing classes have in common: they send what the command line says.
import type { CommandLine } from './command-line.js';

export interface Producer {
  /** Resolves when the broker has everything; rejects with what went wrong. */
  produce(commandLine: CommandLine): Promise<void>;
}
