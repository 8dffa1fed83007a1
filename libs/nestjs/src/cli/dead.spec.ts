// What `warren dead` writes, to standard output and to standard error.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PeekOptions } from '@warren/amqp';
import type { Arguments, Verb } from './arguments.js';
import { COMMANDS } from './dead.js';
import type { Terminal } from './terminal.js';

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Given {
  readonly args?: Partial<Arguments>;
  readonly terminal?: Partial<Terminal>;
  /** Called behind the last letter, in place of its end. */
  readonly behind?: (options: PeekOptions) => void;
}

async function saidOf(verb: Verb, letters: readonly object[], given: Given = {}): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  async function* peek(_queue: string, options: PeekOptions) {
    await Promise.resolve();
    for (const each of letters.slice(0, options.limit))
      yield { position: 1, looks: 0, properties: {}, content: Buffer.from('1'), ...each };
    given.behind?.(options);
  }
  const deadLetters = {
    peek,
    count: () => Promise.resolve(letters.length),
    deadQueue: (name: string) => `${name}.dead`,
  };
  const own = { deadLetters, queues: ['orders'], filter: {}, json: true } as unknown as Arguments;
  const terminal = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  const { signal } = new AbortController();
  const code = await COMMANDS[verb](
    { ...own, ...given.args },
    { ...terminal, program: 'warren', environment: {}, signal, ...given.terminal },
  );
  return { code, out: out.join('\n'), err: err.join('\n') };
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

// `drop` without --yes reads as well.
it.each(['list', 'show', 'drop'] as const)(
  '`warren dead %s` that is interrupted has code 130',
  async (verb) => {
    const interrupt = new AbortController();
    const behind = (): void => interrupt.abort();
    expect(await saidOf(verb, [{}], { terminal: { signal: interrupt.signal }, behind })).toMatchObject({
      code: 130,
    });
    expect(await saidOf(verb, [{}])).toMatchObject({ code: verb === 'drop' ? 2 : 0 });
  },
);

describe('`warren dead show`', () => {
  const letters = Array.from({ length: 12 }, () => ({}));
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'warren-dead-'))));
  afterEach(() => rm(folder, { recursive: true }));

  it('fails when it could not read all that it was asked for', async () => {
    const behind = ({ onEnd }: PeekOptions): void => onEnd?.({ seen: 10_000, unseen: 3 });
    const { code, err } = await saidOf('show', [{}], { behind });
    expect({ code, err }).toEqual({
      code: 1,
      err: 'Read the first 10000 messages; 3 more were not read.',
    });
  });

  it('says that it stops after 10, and saves all', async () => {
    const { code, out, err } = await saidOf('show', letters);
    expect({ code, err }).toEqual({
      code: 0,
      err: 'Stopped after 10 messages. Use --limit to show more.',
    });
    expect(out.split('\n')).toHaveLength(10);
    expect((await saidOf('show', letters, { args: { limit: 10 } })).err).toBe('');
    const save = join(folder, 'all.jsonl');
    expect((await saidOf('show', letters, { args: { save } })).err).toBe(`Saved 12 messages to ${save}.`);
    expect((await readFile(save, 'utf8')).trimEnd().split('\n')).toHaveLength(12);
  });

  it('reads on when what it has printed was taken', async () => {
    let [printed, taken] = [0, 0];
    const out = (): void => void printed++;
    const drained = (): Promise<void> => {
      taken++;
      return new Promise((resolve) => setImmediate(resolve));
    };
    await saidOf('show', letters, { terminal: { out, drained } });
    expect([printed, taken]).toEqual([10, 10]);
  });
});
