// Headers: what a message is about stands in several headers; a consumer names those that it wants, all or any.
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Headers, Subscribe } from '@warren/nestjs';
import { CommandLine } from '../command-line.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class HeadersConsumer {
  constructor(private readonly terminal: Terminal) {}

  // With fixed headers: match: { all: { format: 'pdf', type: 'report' } }
  @Subscribe((get) => {
    const { name, match, pairs } = get(CommandLine);
    return {
      broadcast: true,
      bindings: [
        {
          exchange: { name, type: 'headers', durable: false },
          match: match === 'all' ? { all: pairs } : { any: pairs },
        },
      ],
      deadLetter: false,
    };
  })
  receive(@Payload() text: string, @Headers() headers: Record<string, unknown>): void {
    this.terminal.got(text, { headers: shown(headers) });
  }
}

const shown = (headers: Record<string, unknown>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
