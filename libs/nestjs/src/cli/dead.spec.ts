// What `warren dead` writes to standard error.
import { describe, expect, it } from '@jest/globals';
import type { Arguments, Verb } from './arguments.js';
import { COMMANDS } from './dead.js';

async function saidOf(verb: Verb, ...looks: number[]): Promise<string> {
  const said: string[] = [];
  async function* peek() {
    await Promise.resolve();
    for (const each of looks) yield { position: 1, looks: each, properties: {}, content: Buffer.from('1') };
  }
  const deadLetters = {
    peek,
    count: () => Promise.resolve(looks.length),
    deadQueue: (name: string) => `${name}.dead`,
  };
  const args = { deadLetters, queues: ['orders'], filter: {}, json: true } as unknown as Arguments;
  const terminal = { out: () => undefined, err: (line: string) => void said.push(line) };
  const { signal } = new AbortController();
  await COMMANDS[verb](args, { ...terminal, program: 'warren', environment: {}, signal });
  return said.join('\n');
}

describe.each(['list', 'show'] as const)('`warren dead %s`', (verb) => {
  it('warns about a message that was read 15 times', async () => {
    expect(await saidOf(verb, 15)).toContain('read 15 times. RabbitMQ 4 drops a message');
  });

  it('does not warn before', async () => {
    expect(await saidOf(verb, 0, 14)).toBe('');
  });
});
