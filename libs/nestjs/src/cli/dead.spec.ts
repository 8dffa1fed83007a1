// What `warren dead` writes, to standard output and to standard error.
import { describe, expect, it } from '@jest/globals';
import type { Arguments, Verb } from './arguments.js';
import { COMMANDS } from './dead.js';

interface Said {
  readonly out: string;
  readonly err: string;
}

async function saidOf(verb: Verb, letters: readonly object[]): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  async function* peek() {
    await Promise.resolve();
    for (const each of letters)
      yield { position: 1, looks: 0, properties: {}, content: Buffer.from('1'), ...each };
  }
  const deadLetters = {
    peek,
    count: () => Promise.resolve(letters.length),
    deadQueue: (name: string) => `${name}.dead`,
  };
  const args = { deadLetters, queues: ['orders'], filter: {}, json: true } as unknown as Arguments;
  const terminal = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  const { signal } = new AbortController();
  await COMMANDS[verb](args, { ...terminal, program: 'warren', environment: {}, signal });
  return { out: out.join('\n'), err: err.join('\n') };
}

describe.each(['list', 'show'] as const)('`warren dead %s`', (verb) => {
  it('warns about a message that was read 15 times', async () => {
    expect((await saidOf(verb, [{ looks: 15 }])).err).toContain('read 15 times. RabbitMQ 4 drops a message');
  });

  it('does not warn before', async () => {
    expect((await saidOf(verb, [{ looks: 0 }, { looks: 14 }])).err).toBe('');
  });
});

// `drop` without --yes prints what it would drop.
it.each(['list', 'show', 'drop'] as const)(
  '`warren dead %s --json` escapes what a sender wrote',
  async (verb) => {
    const hostile = '\u001b]0;owned\u0007\u009b31m\u202e\u200b';
    const { out } = await saidOf(verb, [{ id: hostile, error: hostile, errorMessage: hostile }]);
    expect(out).toContain('\\u202e');
    expect(out).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  },
);
