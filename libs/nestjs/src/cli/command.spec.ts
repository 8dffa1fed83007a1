// A script tells by the exit code alone why nothing was done.
import { afterEach, describe, expect, it } from '@jest/globals';
import { ConfigError, ConnectionRefusedError, RabbitError } from '@warren/amqp';
import { UsageError } from './arguments.js';
import { runWarren } from './command.js';
import { COMMANDS } from './dead.js';

describe('the exit code', () => {
  const commands = COMMANDS as { list: (typeof COMMANDS)['list'] };
  const { list } = COMMANDS;
  afterEach(() => void (commands.list = list));

  it.each<[string, number, Error]>([
    ['failed on the way', 1, new Error('the disk is full')],
    ['wrong usage', 2, new UsageError('no such option')],
    ['wrong usage', 2, new ConfigError('no such option', '')],
    ['no such queue', 3, new RabbitError('WARREN_TOPOLOGY_MISSING', 'gone', '')],
    ['no broker', 4, new ConnectionRefusedError('host', 'refused', '')],
    ['no broker', 4, new RabbitError('WARREN_CONNECTION_LOST', 'lost', '')],
    ['not allowed', 5, new ConnectionRefusedError('credentials', 'refused', '')],
    ['not allowed', 5, new ConnectionRefusedError('vhost', 'refused', '')],
    ['not allowed', 5, new RabbitError('WARREN_ACCESS_REFUSED', 'no permission', '')],
    ['queue locked', 6, new RabbitError('WARREN_QUEUE_LOCKED', 'exclusive', '')],
  ])('says %s: %i', async (_what, code, error) => {
    commands.list = () => Promise.reject(error);
    const said: string[] = [];
    const terminal = { out: () => undefined, err: (text: string) => void said.push(text), program: 'warren' };
    const environment = { RABBITMQ_URL: 'amqp://127.0.0.1:1' };
    const { signal } = new AbortController();
    expect(await runWarren(['dead', 'list', 'orders'], { ...terminal, environment, signal })).toBe(code);
    expect(said).toHaveLength(1);
  });
});

it.each<[string, string[], RegExp]>([
  ['a wrong command', ['dead', 'lst'], /^warren: unknown command 'dead lst' \(warren --help [^\n]*\)$/],
  [
    'a wrong option',
    ['dead', 'list', '--nonsense'],
    /^warren: [^\n]*nonsense[^\n]*\(warren --help [^\n]*\)$/,
  ],
  ['nothing', [], /^warren: nothing to do\n\nUsage: /],
])(
  '%s is said in one line, with the help only where nothing was asked for',
  async (_what, args, expected) => {
    const said: string[] = [];
    const terminal = { out: () => undefined, err: (text: string) => void said.push(text), program: 'warren' };
    const { signal } = new AbortController();
    expect(await runWarren(args, { ...terminal, environment: {}, signal })).toBe(2);
    expect(said.join()).toMatch(expected);
  },
);
