// Faults in every test run: a selection on real processes and a private RabbitMQ, and half a minute of faults at
// random, whose seed stands in the output. The whole suite is `npm run faults`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { findRabbitMQ } from '../../tools/rabbitmq.mjs';

const MINUTES = 300_000;
const program = join(import.meta.dirname, '..', '..', 'tools', 'faults.mjs');

/** Runs the suite; its output and exit code. */
async function faults(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ output: string; code: number | null }> {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { output, code };
}

// A private node, which may be killed, needs the program rabbitmq-server.
const describeHere = process.env.RABBITMQ_URL && findRabbitMQ() ? describe : describe.skip;

describeHere('faults', () => {
  it(
    'break no promise: nothing confirmed is lost, every promise settles, no process crashes',
    async () => {
      const { output, code } = await faults(['--quick']);
      expect(output).toContain(' 0 promises broken');
      expect(output).toMatch(/again with --seed \d+/);
      expect([output.match(/^[^ ].*\(\d+ s\)$/gm)?.length, code]).toEqual([3, 0]);
    },
    MINUTES,
  );

  it(
    'break none either with every frame through the client library',
    async () => {
      const args = ['--only', 'connections cut inside a frame'];
      const { output, code } = await faults(args, { WARREN_DATA_PLANE: 'amqplib' });
      expect(output).toContain('2 runs, 0 promises broken');
      expect(code).toBe(0);
    },
    MINUTES,
  );

  it(
    'find out a system that confirms what it never sent',
    async () => {
      const { output, code } = await faults(['--liar']);
      expect(output).toMatch(/BROKEN {2}connections cut inside a frame: confirmed and lost \d+/);
      expect(code).toBe(1);
    },
    MINUTES,
  );
});
