// The words after `npm run producer --`, checked.
import { parseArgs } from 'node:util';

/** What each pattern sends to when `--name` does not say otherwise, and what stands before the messages. */
const patterns = {
  simple: { name: 'hello', before: 'nothing' },
  work: { name: 'task_queue', before: 'nothing' },
  fanout: { name: 'logs', before: 'nothing' },
  direct: { name: 'direct_logs', before: 'key' },
  topic: { name: 'topic_logs', before: 'key' },
  headers: { name: 'headers_logs', before: 'pairs' },
  rpc: { name: 'rpc_queue', before: 'nothing' },
} as const;

export type PatternName = keyof typeof patterns;

/** A valid command line, an invalid one, or a request for help. */
export type Reading =
  | { readonly kind: 'run'; readonly commandLine: CommandLine }
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'help' };

const options = {
  url: { type: 'string' },
  name: { type: 'string' },
  mandatory: { type: 'boolean' },
  repeat: { type: 'string' },
  shutdown: { type: 'string' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parse>['values'];

export class CommandLine {
  /** The queue or exchange to send to. */
  readonly name: string;
  readonly url: string | undefined;
  /** Severity or topic; empty where a pattern has none. */
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** At least one. */
  readonly messages: readonly string[];
  readonly mandatory: boolean;
  /** How often each task is sent. */
  readonly repeat: number;
  /** How long what is being published may take at the end, in milliseconds; undefined leaves it to the library. */
  readonly shutdown: number | undefined;
  readonly json: boolean;
  readonly verbose: boolean;

  /** @throws Error that says which word is missing. */
  constructor(
    readonly pattern: PatternName,
    words: readonly string[],
    values: Values,
  ) {
    const { name, before } = patterns[pattern];
    this.name = values.name ?? name;
    this.url = values.url;
    this.mandatory = values.mandatory ?? false;
    this.repeat = whole(values, 'repeat', 1) ?? 1;
    this.shutdown = whole(values, 'shutdown', 0);
    if (values.repeat !== undefined && pattern !== 'work')
      throw new Error(`--repeat is an option of 'work', not of '${pattern}'.`);
    this.json = values.json ?? false;
    this.verbose = values.verbose ?? false;
    // name=value words up to the first that is none; but the last word is a message, whatever it looks like.
    const other = words.findIndex((word, index) => !/^[^=]+=/.test(word) || index === words.length - 1);
    const count = before === 'nothing' ? 0 : before === 'key' ? 1 : Math.max(other, 0);
    this.key = before === 'key' ? (words[0] ?? '') : '';
    this.headers = before === 'pairs' ? Object.fromEntries(words.slice(0, count).map(pair)) : {};
    this.messages = words.slice(count);
    if (before === 'pairs' && count === 0) throw new Error(`'headers' needs name=value, then the message.`);
    if (this.messages.length === 0) throw new Error(`'${pattern}' needs ${missing(before, words)}.`);
  }
}

export function readCommandLine(args: readonly string[]): Reading {
  try {
    const { values, positionals } = parse(args);
    if (values.help) return { kind: 'help' };
    const [pattern, ...words] = positionals;
    if (pattern === undefined) return { kind: 'wrong', message: 'Which pattern?' };
    if (!isPattern(pattern)) return { kind: 'wrong', message: `There is no pattern '${pattern}'.` };
    return { kind: 'run', commandLine: new CommandLine(pattern, words, values) };
  } catch (error) {
    return { kind: 'wrong', message: (error as Error).message };
  }
}

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options, allowPositionals: true });

const isPattern = (word: string): word is PatternName => Object.hasOwn(patterns, word);

function whole(values: Values, option: 'repeat' | 'shutdown', least: number): number | undefined {
  const text = values[option];
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) < least)
    throw new Error(`--${option} must be a number from ${least}, but is '${text}'.`);
  return Number(text);
}

function missing(before: 'nothing' | 'key' | 'pairs', words: readonly string[]): string {
  if (before === 'nothing') return 'something to send';
  return words.length === 0 ? 'a key and a message' : `a message after '${words.join(' ')}'`;
}

function pair(word: string): [name: string, value: string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}
