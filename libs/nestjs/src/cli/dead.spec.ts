// What the commands of `warren dead` say beside what they print.
import { describe, expect, it } from '@jest/globals';
import type { Arguments, Verb } from './arguments.js';
import { COMMANDS } from './dead.js';

async function saidOf(verb: Verb, ...looks: number[]): Promise<string> {
  const said: string[] = [];
  async function* peek() {
    await Promise.resolve();
    for (const each of looks) yield { position: 1, looks: each, properties: {}, content: Buffer.from('1') };
  }
  const desk = {
    peek,
    count: () => Promise.resolve(looks.length),
    deadQueue: (name: string) => `${name}.dead`,
  };
  const args = { desk, queues: ['orders'], filter: {}, json: true } as unknown as Arguments;
  const terminal = { out: () => undefined, err: (line: string) => void said.push(line) };
  const { signal } = new AbortController();
  await COMMANDS[verb](args, { ...terminal, program: 'warren', environment: {}, signal });
  return said.join('\n');
}

describe.each(['list', 'show'] as const)('whoever has `warren dead %s` look at a letter', (verb) => {
  it('is warned when it was looked at 15 times', async () => {
    expect(await saidOf(verb, 15)).toContain('Looked at 15 times. RabbitMQ 4 drops a message');
  });

  it('hears nothing before', async () => {
    expect(await saidOf(verb, 0, 14)).toBe('');
  });
});
