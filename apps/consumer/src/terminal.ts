// What the handlers have to say goes to standard output: a line for a person, or with --json an object for a
// program, such as the demo, which waits for these lines.
import { Injectable } from '@nestjs/common';
import { CommandLine } from './command-line.js';

const places: Record<CommandLine['pattern'], string> = {
  simple: 'messages of queue',
  work: 'tasks of queue',
  fanout: 'everything from exchange',
  direct: 'messages from exchange',
  topic: 'messages from exchange',
  headers: 'messages from exchange',
  rpc: 'RPC requests in queue',
};

@Injectable()
export class Terminal {
  constructor(private readonly commandLine: CommandLine) {}

  /** The consumers are registered with the broker: whatever is sent from now on arrives here. */
  waiting(): void {
    const { pattern, name, words, match } = this.commandLine;
    const wanted =
      words.length === 0 ? '' : `, ${pattern === 'headers' ? `${match} of ` : ''}${words.join(' ')}`;
    const text = `[*] Waiting for ${places[pattern]} ${name}${wanted}. To exit press Ctrl+C`;
    this.say(text, 'ready', { pattern, name, words });
  }

  /** A handler was called. */
  got(text: string, facts: Readonly<Record<string, unknown>> = {}): void {
    const extra = Object.values(facts).filter((fact) => typeof fact === 'string');
    this.say(`[x] Received ${[...extra, JSON.stringify(text)].join(' ')}`, 'got', { text, ...facts });
  }

  /** A task is done, or a request is answered. */
  done(text: string, result = 'Done'): void {
    this.say(`[x] ${result}`, 'done', { text });
  }

  /** A handler is about to throw. */
  failing(text: string, attempt: number): void {
    this.say(`[!] Failed at attempt ${attempt}`, 'failing', { text, attempt });
  }

  private say(text: string, event: string, facts: Readonly<Record<string, unknown>>): void {
    console.log(this.commandLine.json ? JSON.stringify({ event, ...facts }) : ` ${text}`);
  }
}
