// The applications in examples/ are started as `npm start` starts them, and print what their page says. They end by
// themselves. Their own tests are beside them.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../architecture/sources.js';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { promised } from './page.js';

const applications = readdirSync(join(root, 'examples')).filter((name) => !name.includes('.'));

let runs = 0;

onEachBroker('sample applications', (broker: TestBroker) => {
  const printed: string[] = [];
  const given = process.env.RABBITMQ_URL;

  beforeEach(() => {
    process.env.RABBITMQ_URL = broker.url;
    jest.spyOn(console, 'log').mockImplementation((line: unknown) => void printed.push(String(line)));
    jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  });

  afterEach(() => {
    jest.restoreAllMocks();
    printed.length = 0;
    if (given === undefined) delete process.env.RABBITMQ_URL;
    else process.env.RABBITMQ_URL = given;
  });

  describe('given an application as its page describes it', () => {
    it.each(applications)('%s prints what its page says', async (name) => {
      const program = `examples/${name}/src/main.ts`;
      const lines = promised(`examples/${name}/README.md`, program);

      // The query makes it a module of its own, so that it runs again.
      await import(`${join(root, program)}?${++runs}`);

      // Which of two things that happen at the same time comes first is nobody's promise.
      expect([...printed].sort()).toEqual([...lines].sort());
    });
  });
});
