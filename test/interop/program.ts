// Foreign programs in processes of their own: Python scripts with pika, and the C command-line tools. Where one of
// them is not on the machine, a test says so by its name; with CI=true that test fails.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, it } from '@jest/globals';
import { Collector, within } from '../support/events.js';

const scripts = join(import.meta.dirname, 'pika');
const running = new Set<ChildProcess>();

afterEach(async () => {
  await Promise.all([...running].map(stop));
});

/** Python with pika, as the runner found it; without the runner, Debian's when it is there. */
const python =
  process.env.INTEROP_PYTHON ?? (runs('/usr/bin/python3', ['-c', 'import pika']) ? '/usr/bin/python3' : '');
const tools = process.env.INTEROP_AMQP_TOOLS ?? (runs('amqp-publish', ['--help']) ? '1' : '');

/** Registers tests that need pika, or one test that says that they did not run. */
export function withPika(register: () => void): void {
  if (python) register();
  else absent('Python with pika (Debian: python3-pika)');
}

/** The same for amqp-publish, amqp-consume, amqp-get and amqp-declare-queue. */
export function withAmqpTools(register: () => void): void {
  if (tools) register();
  else absent('amqp-publish and its family (Debian: amqp-tools)');
}

function absent(what: string): void {
  it(`did not run: ${what} is not on this machine`, () => {
    if (process.env.CI === 'true') throw new Error(`CI must have ${what}.`);
  });
}

/** What a program of `pika/` tells, one object a line. */
export type Told = Readonly<Record<string, unknown>>;

/** A program that runs until the test ends. */
export interface Program {
  readonly lines: Collector<string>;
  /** What it told next. */
  told(): Promise<Told>;
  /** Ends it now, without a word to anybody. */
  kill(): Promise<void>;
}

/** Starts a script of `pika/` that goes on, and waits until it says that it is ready. */
export async function pikaService(url: string, script: string, ...args: string[]): Promise<Program> {
  const program = start(python, [join(scripts, script), ...args], url);
  const first = await program.told();
  if (first.ready !== true) throw new Error(`${script} began with ${JSON.stringify(first)}`);
  return program;
}

/** Runs a script of `pika/` to its end; resolves to what it told last. */
export async function pika(url: string, script: string, ...args: string[]): Promise<Told> {
  const lines = await output(python, [join(scripts, script), ...args], url);
  return JSON.parse(lines.at(-1) ?? 'null') as Told;
}

/** Runs one of the command-line tools to its end; resolves to the lines it printed. */
export function tool(url: string, name: string, ...args: string[]): Promise<string[]> {
  return output(name, [`--url=${url}`, ...args], url);
}

/** Starts a tool that goes on. */
export function toolService(url: string, name: string, ...args: string[]): Program {
  return start(name, [`--url=${url}`, ...args], url);
}

async function output(command: string, args: string[], url: string): Promise<string[]> {
  const { child, lines, complaints } = launch(command, args, url);
  const [code] = (await within(once(child, 'close'), `${args.join(' ')} to end`)) as [number];
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${complaints.join('').slice(-800)}`);
  return lines.all;
}

function start(command: string, args: string[], url: string): Program {
  const { child, lines, complaints } = launch(command, args, url);
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`${command} ended early with ${String(code)}: ${complaints.join('').slice(-800)}`);
  });
  ended.catch(() => undefined);
  return {
    lines,
    told: async () => JSON.parse(await Promise.race([lines.one(), ended])) as Told,
    kill: () => stop(child),
  };
}

interface Launched {
  readonly child: ChildProcess;
  readonly lines: Collector<string>;
  readonly complaints: string[];
}

function launch(command: string, args: string[], url: string): Launched {
  const env = { ...process.env, AMQP_URL: url, PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  child.on('error', (error) => complaints.push(String(error)));
  const lines = new Collector<string>('lines');
  const complaints: string[] = [];
  createInterface({ input: child.stdout }).on('line', lines.push);
  child.stderr.on('data', (text: Buffer) => complaints.push(text.toString()));
  return { child, lines, complaints };
}

async function stop(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await within(closed, 'a foreign program to end');
}

function runs(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
