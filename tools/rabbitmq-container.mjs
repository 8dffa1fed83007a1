// RabbitMQ in Docker: what a machine without the `rabbitmq-server` program can still offer.
// Same face as the node in rabbitmq.mjs; nothing stays behind after stop().
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Exchange types that come with RabbitMQ and that tests use, when they are switched on. */
export const EXCHANGE_PLUGINS = [
  'rabbitmq_consistent_hash_exchange',
  'rabbitmq_random_exchange',
  'rabbitmq_recent_history_exchange',
];

/** Whether a Docker engine (not only its client program) answers. */
export function dockerAnswers() {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

/**
 * Starts a container with both ports published on loopback; `ready` waits until the broker in it answers.
 *
 * @param {{ port: number, managementPort: number, line?: string, ready: () => Promise<unknown> }} options
 */
export async function startContainer({ port, managementPort, line = '4.3', ready }) {
  const name = `warren-rabbitmq-${randomBytes(4).toString('hex')}`;
  const image = `rabbitmq:${line}-management`;
  const published = ['-p', `127.0.0.1:${port}:5672`, '-p', `127.0.0.1:${managementPort}:15672`];
  const remove = () => run('docker', ['rm', '--force', '--volumes', name], { timeout: 60_000 });
  process.once(
    'exit',
    () => void spawnSync('docker', ['rm', '--force', '--volumes', name], { stdio: 'ignore' }),
  );
  try {
    await run('docker', ['run', '--detach', '--name', name, '--hostname', name, ...published, image], {
      timeout: 600_000,
    });
    await ready();
    await run('docker', ['exec', name, 'rabbitmq-plugins', 'enable', ...EXCHANGE_PLUGINS], {
      timeout: 60_000,
    });
  } catch (error) {
    const log = await run('docker', ['logs', '--tail', '40', name]).catch(() => ({ stdout: '', stderr: '' }));
    await remove().catch(() => undefined);
    throw new Error(`RabbitMQ in Docker did not start: ${error.message}\n${log.stdout}${log.stderr}`, {
      cause: error,
    });
  }
  const inspected = await run('docker', ['inspect', '--format', '{{.State.Pid}}', name]).catch(() => ({
    stdout: '',
  }));
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    managementUrl: `http://guest:guest@127.0.0.1:${managementPort}`,
    pid: Number(inspected.stdout) || undefined,
    async restart({ crash = false } = {}) {
      if (crash) await run('docker', ['kill', name]);
      await run('docker', ['restart', name], { timeout: 60_000 });
      await ready();
    },
    async stop() {
      await remove();
    },
  };
}
