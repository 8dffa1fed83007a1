// The programs that README and tutorials show are started as they stand, and print what their page says.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type DynamicModule, type INestApplicationContext, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RabbitModule, type RabbitModuleOptions } from '@warren/nestjs';
import { join } from 'node:path';
import { freePorts } from '../../tools/rabbitmq-ports.mjs';
import { root } from '../architecture/sources.js';
import { promised } from './page.js';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { until } from '../support/events.js';

const tutorials = [
  '1-hello-world',
  '2-work-queues',
  '3-publish-subscribe',
  '4-routing',
  '5-topics',
  '6-rpc',
  '7-publisher-confirms',
].map((name) => [`docs/tutorials/${name}/main.ts`, `docs/tutorials/${name}/README.md`] as const);
const programs = [
  ['docs/examples/shop.ts', 'README.md'] as const,
  ['docs/examples/rpc.ts', 'docs/rpc.md'] as const,
  ['docs/examples/contracts.ts', 'docs/contracts.md'] as const,
  ...tutorials,
];

/** Which of two workers was quicker, and which line comes first, is nobody's promise. */
const comparable = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/^worker \d/, 'a worker')).sort();

const apps: INestApplicationContext[] = [];
const printed: string[] = [];
const given = { url: process.env.RABBITMQ_URL, mode: process.env.NODE_ENV };

beforeEach(() => {
  Logger.overrideLogger(false);
  jest.spyOn(console, 'log').mockImplementation((line: unknown) => void printed.push(String(line)));
  const create = NestFactory.createApplicationContext.bind(NestFactory);
  jest.spyOn(NestFactory, 'createApplicationContext').mockImplementation(async (...args) => {
    const app = await create(...args);
    apps.push(app);
    return app;
  });
});

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(apps.splice(0).map((app) => app.close()));
  printed.length = 0;
  if (given.url === undefined) delete process.env.RABBITMQ_URL;
  else process.env.RABBITMQ_URL = given.url;
  process.env.NODE_ENV = given.mode;
});

/** Runs the program; the query makes it a module of its own each time. */
async function run(program: string, query: string, page: string): Promise<void> {
  const lines = promised(page, program);
  await import(`${join(root, program)}?${query}`);
  await until(() => printed.length >= lines.length, `${lines.length} lines of ${program}`);
  expect(comparable(printed)).toEqual(comparable(lines));
}

onEachBroker('programs of the documentation', (broker: TestBroker) => {
  beforeEach(() => void (process.env.RABBITMQ_URL = broker.url));

  describe('given a program as its page shows it', () => {
    it.each(programs)('%s prints what %s says', (program, page) => run(program, broker.kind, page));
  });
});

describe('given no RABBITMQ_URL and no NODE_ENV', () => {
  it('the example of the README starts a broker of its own and prints what README says', async () => {
    delete process.env.RABBITMQ_URL;
    delete process.env.NODE_ENV;
    // The program as it stands, but for the port: others may use 5672.
    const [port] = await freePorts(1);
    const forRoot = RabbitModule.forRoot.bind(RabbitModule) as (
      options: RabbitModuleOptions,
    ) => DynamicModule;
    const asked: unknown[] = [];
    jest.spyOn(RabbitModule, 'forRoot').mockImplementation(((options: RabbitModuleOptions) => {
      asked.push(options);
      return forRoot({ ...options, development: { embedded: { port } } });
    }) as typeof RabbitModule.forRoot);

    await run('docs/examples/shop.ts', 'alone', 'README.md');

    expect(asked).toEqual([{ service: 'shop', development: 'embedded' }]);
  });
});
