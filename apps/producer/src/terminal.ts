// What the producers have to say goes to standard output: a line for a person, or with --json an object for a
// program, such as the demo. Errors are one line, without a stack: whoever types commands can do nothing with it.
import type { PublishReceipt } from '@warren/nestjs';
import type { CommandLine } from './command-line.js';

export class Terminal {
  constructor(private readonly commandLine: CommandLine) {}

  /** The broker has the message; whether a queue wanted it stands in the receipt. */
  sent(text: string, { routed }: PublishReceipt): void {
    const { name, key } = this.commandLine;
    const note = routed ? '' : ': nobody listens for it there, the broker dropped it';
    this.say(`[x] Sent ${JSON.stringify(text)} to ${key ? `${name} as ${key}` : name}${note}`, 'sent', {
      text,
      routed,
    });
  }

  asking(what: string): void {
    this.say(`[x] Requesting ${what}`, 'asking', { text: what });
  }

  answered(what: string, answer: unknown): void {
    this.say(`[.] Got ${String(answer)}`, 'answered', { text: what, answer });
  }

  /** With `logged` a person has read it already. */
  failed(error: Error, logged = false): void {
    const { name, message, code } = error as Error & { code?: unknown };
    if (this.commandLine.json) this.say('', 'failed', { name, code, message });
    if (!logged) console.error(message || name);
  }

  private say(text: string, event: string, facts: Readonly<Record<string, unknown>>): void {
    console.log(this.commandLine.json ? JSON.stringify({ event, ...facts }) : ` ${text}`);
  }
}
