// The demo applications as processes, for the tests about them: built once, started with a URL, ended after the test.
import { join } from 'node:path';
import { afterEach, beforeAll, jest } from '@jest/globals';
import { bundleOf } from '../../tools/bundle.mjs';
import { Child, endAll } from '../../tools/demo/child.mjs';

export { Child };

/** How long building may take where nothing was built before, in milliseconds. */
export const BUILD = 600_000;

const root = join(import.meta.dirname, '../..');

/** Path of a script or a built application. */
export const path = (...parts: readonly string[]): string => join(root, ...parts);

/** Registers what every file about the applications needs. */
export function withApplications(): void {
  // Each process takes half a second on a quiet machine, and many times that on a busy one.
  jest.setTimeout(240_000);
  beforeAll(async () => {
    for (const args of [[path('tools/build.mjs'), '--if-needed'], [path('tools/bundle.mjs')]]) {
      const build = new Child('the build', args);
      const { code } = await build.ended;
      if (code !== 0) throw new Error(`The applications cannot be built: ${build.complaints}`);
    }
  }, BUILD);
  afterEach(() => endAll());
}

/** Starts an application; without a URL it has none in its environment either. */
export function start(name: 'consumer' | 'producer', args: readonly string[], url?: string): Child {
  const env: NodeJS.ProcessEnv = { ...process.env, RABBITMQ_URL: url };
  if (url === undefined) delete env.RABBITMQ_URL;
  return new Child(name, [bundleOf(name), ...args], env);
}

/** Starts a consumer and waits until it listens. */
export async function consumer(args: readonly string[], url: string): Promise<Child> {
  const child = start('consumer', [...args, '--json'], url);
  await child.wait('ready');
  return child;
}

/** What it wrote to standard output, line by line. */
export const lines = (child: Child): unknown[] => child.all('line').map(({ text }) => text);
