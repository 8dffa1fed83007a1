// Exit codes tell a script why a command failed.
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
    ['failed', 1, new Error('the disk is full')],
    ['wrong usage', 2, new UsageError('no such option')],
    ['wrong usage', 2, new ConfigError('no such option', '')],
    ['queue not found', 3, new RabbitError('WARREN_TOPOLOGY_MISSING', 'gone', '')],
    ['broker unreachable', 4, new ConnectionRefusedError('host', 'refused', '')],
    ['broker unreachable', 4, new RabbitError('WARREN_CONNECTION_LOST', 'lost', '')],
    ['access refused', 5, new ConnectionRefusedError('credentials', 'refused', '')],
    ['access refused', 5, new ConnectionRefusedError('vhost', 'refused', '')],
    ['access refused', 5, new RabbitError('WARREN_ACCESS_REFUSED', 'no permission', '')],
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
  [
    'a wrong command',
    ['dead', 'lst'],
    /^Usage: warren dead list .*\n {7}warren dead show [^]*\n\nwarren: unknown command 'dead lst' \(see warren --help\)$/,
  ],
  [
    'a wrong option',
    ['dead', 'list', '--nonsense'],
    /^Usage: warren dead list [^\n]*\n\nwarren: [^\n]*nonsense[^\n]*\(see warren --help\)$/,
  ],
  [
    'no queue',
    ['dead', 'list'],
    /^Usage: warren dead list [^\n]*\n\nwarren: 'dead list' requires a queue[^\n]*$/,
  ],
  ['a wrong option of tap', ['tap', '--nonsense'], /^Usage: warren tap [^\n]*\n\nwarren: [^\n]*nonsense/],
  [
    'no command',
    [],
    /^Usage: warren dead list [^]*\n {7}warren tap [^]*\n\nwarren: a command is required \(see warren --help\)$/,
  ],
])('%s is said last, below the usage of that command only', async (_what, args, expected) => {
  const said: string[] = [];
  const terminal = { out: () => undefined, err: (text: string) => void said.push(text), program: 'warren' };
  const { signal } = new AbortController();
  expect(await runWarren(args, { ...terminal, environment: {}, signal })).toBe(2);
  expect(said.join()).toMatch(expected);
});
