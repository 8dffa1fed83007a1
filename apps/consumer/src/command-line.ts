// The words after `npm run consumer --`, checked. Handlers get them injected: their options are functions of it.
import { parseArgs } from 'node:util';

/** What each pattern listens to when `--name` does not say otherwise, and how many words it needs. */
const patterns = {
  simple: { name: 'hello', words: 'none' },
  work: { name: 'task_queue', words: 'none' },
  fanout: { name: 'logs', words: 'none' },
  direct: { name: 'direct_logs', words: 'some' },
  topic: { name: 'topic_logs', words: 'some' },
  headers: { name: 'headers_logs', words: 'pairs' },
  rpc: { name: 'rpc_queue', words: 'none' },
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
  service: { type: 'string' },
  prefetch: { type: 'string' },
  concurrency: { type: 'string' },
  shutdown: { type: 'string' },
  ack: { type: 'string' },
  dot: { type: 'string' },
  fail: { type: 'string' },
  all: { type: 'boolean' },
  any: { type: 'boolean' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Options that only one pattern has. */
const only = {
  prefetch: 'work',
  concurrency: 'work',
  ack: 'work',
  dot: 'work',
  fail: 'work',
  all: 'headers',
  any: 'headers',
} as const;

type Values = ReturnType<typeof parse>['values'];

export class CommandLine {
  /** The queue or exchange to listen to. */
  readonly name: string;
  /** What the service is called: the queues in which its retries wait begin with it. */
  readonly service: string;
  readonly url: string | undefined;
  readonly prefetch: number | undefined;
  /** How many tasks run at once. */
  readonly concurrency: number;
  /** How long running handlers may take at the end, in milliseconds; undefined leaves it to the library. */
  readonly shutdown: number | undefined;
  readonly ack: 'auto' | 'none';
  /** How long a dot of a task takes, in milliseconds. */
  readonly dot: number;
  /** On how many attempts of a task the handler throws. */
  readonly fail: number;
  readonly match: 'all' | 'any';
  readonly json: boolean;
  readonly verbose: boolean;

  constructor(
    readonly pattern: PatternName,
    /** Severities, topics or name=value pairs. */
    readonly words: readonly string[],
    values: Values,
  ) {
    this.name = values.name ?? patterns[pattern].name;
    this.service = values.service ?? 'consumer';
    this.url = values.url;
    this.prefetch = whole(values, 'prefetch', 1);
    this.concurrency = whole(values, 'concurrency', 1) ?? 1;
    this.shutdown = whole(values, 'shutdown', 0);
    this.ack = oneOf(values, 'ack', ['auto', 'none']) ?? 'auto';
    this.dot = whole(values, 'dot', 0) ?? 1_000;
    this.fail = whole(values, 'fail', 0) ?? 0;
    this.match = values.any ? 'any' : 'all';
    this.json = values.json ?? false;
    this.verbose = values.verbose ?? false;
  }

  /** The words `format=pdf type=report` as an object. */
  get pairs(): Record<string, string> {
    return Object.fromEntries(this.words.map(pair));
  }
}

export function readCommandLine(args: readonly string[]): Reading {
  try {
    const { values, positionals } = parse(args);
    if (values.help) return { kind: 'help' };
    const [pattern, ...words] = positionals;
    if (pattern === undefined) return { kind: 'wrong', message: 'Which pattern?' };
    if (!isPattern(pattern)) return { kind: 'wrong', message: `There is no pattern '${pattern}'.` };
    check(pattern, words, values);
    return { kind: 'run', commandLine: new CommandLine(pattern, words, values) };
  } catch (error) {
    return { kind: 'wrong', message: (error as Error).message };
  }
}

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options, allowPositionals: true });

const isPattern = (word: string): word is PatternName => Object.hasOwn(patterns, word);

function check(pattern: PatternName, words: readonly string[], values: Values): void {
  for (const [option, owner] of Object.entries(only)) {
    if (values[option as keyof typeof only] !== undefined && owner !== pattern)
      throw new Error(`--${option} is an option of '${owner}', not of '${pattern}'.`);
  }
  const wanted = patterns[pattern].words;
  if (wanted === 'none' && words.length > 0)
    throw new Error(`'${pattern}' takes no further words, but there is '${words.join(' ')}'.`);
  if (wanted !== 'none' && words.length === 0)
    throw new Error(`'${pattern}' needs to know what to listen for.`);
  const odd = wanted === 'pairs' ? words.find((word) => !/^[^=]+=/.test(word)) : undefined;
  if (odd !== undefined) throw new Error(`'${odd}' is not of the form name=value.`);
  if (values.all && values.any) throw new Error('Either --all or --any.');
}

type WholeOption = 'prefetch' | 'concurrency' | 'shutdown' | 'dot' | 'fail';

function whole(values: Values, option: WholeOption, least: number): number | undefined {
  const text = values[option];
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) < least)
    throw new Error(`--${option} must be a number from ${least}, but is '${text}'.`);
  return Number(text);
}

function oneOf<T extends string>(values: Values, option: 'ack', allowed: readonly T[]): T | undefined {
  const text = values[option];
  const found = allowed.find((each) => each === text);
  if (text !== undefined && found === undefined)
    throw new Error(`--${option} must be ${allowed.join(' or ')}, but is '${text}'.`);
  return found;
}

function pair(word: string): [name: string, value: string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}
