// The demo applications in the process of the test, for what they send and receive. A process of their own takes a second
// of CPU: only what is about processes (exit codes, signals, what a person reads) needs one.
import { afterEach } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule as ConsumerModule } from '../../apps/consumer/src/app.module.js';
import { readCommandLine as readConsumer } from '../../apps/consumer/src/command-line.js';
import { Terminal as ConsumerTerminal } from '../../apps/consumer/src/terminal.js';
import { AppModule as ProducerModule } from '../../apps/producer/src/app.module.js';
import { readCommandLine as readProducer } from '../../apps/producer/src/command-line.js';
import { producers } from '../../apps/producer/src/patterns.js';
import { Terminal as ProducerTerminal } from '../../apps/producer/src/terminal.js';
import { Collector, until } from '../support/events.js';
import type { ChildEvent } from '../../tools/demo/child.mjs';

const open = new Set<INestApplicationContext>();

afterEach(async () => {
  await Promise.all([...open].map((app) => app.close()));
  open.clear();
});

/** What an application said, as `--json` shows it. */
class Said extends Collector<ChildEvent> {
  /** Takes the place of what writes to standard output. */
  readonly say = (_text: string, event: string, facts: object): void => this.push({ event, ...facts });

  of(event: string): ChildEvent[] {
    return this.all.filter((each) => each.event === event);
  }

  /** The texts of `count` messages that a consumer got. */
  async got(count: number): Promise<unknown[]> {
    await until(() => this.of('got').length >= count, `${count} messages`);
    return this.of('got').map(({ text }) => text);
  }
}

/** Starts the consumer; it listens when this resolves. */
export async function consumerHere(args: readonly string[], url: string): Promise<Said> {
  const read = readConsumer(['--url', url, ...args]);
  if (read.kind !== 'run') throw new Error(`The consumer cannot read ${args.join(' ')}.`);
  const said = new Said();
  const terminal = Object.assign(new ConsumerTerminal(read.commandLine) as object, { say: said.say });
  const { providers = [], ...module } = ConsumerModule.for(read.commandLine);
  await start({ ...module, providers: [...providers, { provide: ConsumerTerminal, useValue: terminal }] });
  return said;
}

/** Runs the producer to its end; resolves with what it said, rejects with what its person would read. */
export async function produceHere(args: readonly string[], url: string): Promise<readonly ChildEvent[]> {
  const read = readProducer(['--url', url, ...args]);
  if (read.kind !== 'run') throw new Error(`The producer cannot read ${args.join(' ')}.`);
  const said = new Said();
  const terminal = Object.assign(new ProducerTerminal(read.commandLine) as object, { say: said.say });
  const app = await start(ProducerModule.for(read.commandLine, terminal as unknown as ProducerTerminal));
  await app.get(producers[read.commandLine.pattern]).produce(read.commandLine);
  await app.close();
  open.delete(app);
  return said.all;
}

async function start(
  module: Parameters<typeof NestFactory.createApplicationContext>[0],
): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(module, { abortOnError: false, logger: false });
  open.add(app);
  return app;
}
