// The proxy of the fault runs must be a network: late, cut or silent, but never one that turns bytes round.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { until } from '../support/events.js';

interface Line {
  delay: number;
  /** That it has read. */
  readonly bytes: number;
  through(url: string): string;
  close(): Promise<void>;
}

const program = join(import.meta.dirname, '..', '..', 'bench', 'peers', 'harness', 'proxy.mjs');
const { Proxy: Pipe } = (await import(program)) as { Proxy: { before(url: string): Promise<Line> } };

describe('the proxy of the fault runs', () => {
  it('keeps bytes in their order when its delay ends while some are under way', async () => {
    let arrived = '';
    const server = createServer((socket) => {
      socket.on('error', () => undefined).on('data', (chunk) => (arrived += String(chunk)));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const line = await Pipe.before(`amqp://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const client = connect(Number(new URL(line.through('amqp://127.0.0.1')).port), '127.0.0.1');
    client.on('error', () => undefined);
    try {
      await once(client, 'connect');
      line.delay = 100;
      await say(client, line, '1');
      await say(client, line, '2');
      line.delay = 0;
      await say(client, line, '3');
      await until(() => arrived.length === 3, 'all bytes');
      expect(arrived).toBe('123');
    } finally {
      await line.close();
      server.close();
    }
  });
});

/** Resolves when the proxy has read it, so that it reads the next one apart. */
async function say(client: Socket, line: Line, text: string): Promise<void> {
  const before = line.bytes;
  client.write(text);
  await until(() => line.bytes > before, 'the proxy to have read it');
}
