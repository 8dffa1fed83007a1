// `warren-broker` ends when what started it ends, also while it starts.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Child } from '../../tools/demo/child.mjs';
import { until } from '../support/events.js';
import { BUILD, path } from './demo-processes.js';

const PARENT = `require('node:child_process').spawn(process.execPath, process.argv.slice(1), { stdio: 'inherit' });`;

let folder: string;
let parent: ChildProcess | undefined;

beforeAll(async () => {
  const build = new Child('the build', [path('tools/build.mjs'), '--if-needed']);
  expect((await build.ended).code).toBe(0);
}, BUILD);
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'warren-parent-'))));
afterEach(() => {
  try {
    if (parent?.pid !== undefined) process.kill(-parent.pid, 'SIGKILL');
  } catch {
    // Nothing is left of the group.
  }
  rmSync(folder, { recursive: true, force: true });
});

/** What writes to a pipe, as soon as somebody reads from it. */
function opened(pipe: string): number | undefined {
  try {
    return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

it('a broker whose parent ends while it starts ends, too', async () => {
  // The start is not over until somebody writes the definitions.
  const definitions = join(folder, 'definitions.json');
  execFileSync('mkfifo', [definitions]);
  const program = [path('libs/embedded/dist/esm/bin.js'), '--port', '0', '--definitions', definitions];
  // A group of its own, so that nothing is left when this fails.
  parent = spawn(process.execPath, ['-e', PARENT, ...program], { detached: true });
  let said = '';
  parent.stdout?.on('data', (text) => (said += String(text)));
  const exited = once(parent, 'exit');
  // Its output is closed when the broker has ended as well.
  const closed = once(parent, 'close');
  const pipe = await until(() => opened(definitions), 'the broker to read its definitions');
  parent.kill('SIGKILL');
  await exited;
  writeSync(pipe, '{}');
  closeSync(pipe);
  await closed;
  expect(said).toContain('Listening on amqp://');
});
