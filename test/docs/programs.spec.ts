// The programs that README and tutorials show are started as they stand, and print what their page says.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type INestApplicationContext, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { join } from 'node:path';
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

onEachBroker('programs of the documentation', (broker: TestBroker) => {
  const apps: INestApplicationContext[] = [];
  const printed: string[] = [];
  const given = process.env.RABBITMQ_URL;

  beforeEach(() => {
    process.env.RABBITMQ_URL = broker.url;
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
    if (given === undefined) delete process.env.RABBITMQ_URL;
    else process.env.RABBITMQ_URL = given;
  });

  describe('given a program as its page shows it', () => {
    it.each(programs)('%s prints what %s says', async (program, page) => {
      const lines = promised(page, program);

      // The query makes it a module of its own for each broker, so that it runs again.
      await import(`${join(root, program)}?${broker.kind}`);
      await until(() => printed.length >= lines.length, `${lines.length} lines of ${program}`);

      expect(comparable(printed)).toEqual(comparable(lines));
    });
  });
});
