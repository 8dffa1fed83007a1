import { describe, expect, it } from '@jest/globals';
import { connect } from 'amqplib';
import { runCommand, type Running } from './command.js';

async function run(...args: string[]): Promise<{ running: Running; out: string; err: string }> {
  let [out, err] = ['', ''];
  const running = await runCommand(args, { out: (text) => (out += text), err: (text) => (err += text) });
  return { running, out, err };
}

async function stop(running: Running): Promise<void> {
  if (running.kind === 'running') await running.broker.close();
}

describe('warren-broker', () => {
  it('says where it listens and that it keeps nothing, and serves', async () => {
    const { running, out } = await run('--port', '0', '--vhost', 'shop', '--user', 'ann:s3cret');
    const broker = running.kind === 'running' ? running.broker : undefined;
    expect(out).toContain('keeps nothing on disk');
    expect(out).toMatch(/amqp:\/\/ann:\*\*\*@127\.0\.0\.1:\d+/);
    const connection = await connect(`${broker?.url}/shop`);
    await connection.close();
    await stop(running);
  });

  it('takes users from the environment, where the list of processes does not show them', async () => {
    const none = { out: () => undefined, err: () => undefined };
    const users = { WARREN_BROKER_USERS: 'ann:s3cret  ben:other' };
    const running = await runCommand(['--port', '0'], none, users);
    const url = new URL(running.kind === 'running' ? running.broker.url : '');
    [url.username, url.password] = ['ben', 'other'];
    const connection = await connect(url.href);
    await connection.close();
    await stop(running);
  });

  it('listens on loopback only when it is not told a host', async () => {
    const { running, out } = await run('--port', '0');
    expect(out).toContain('amqp://guest:guest@127.0.0.1:');
    expect(out).not.toContain('Other machines');
    await stop(running);
  });

  it('imitates the RabbitMQ it is told to, and refuses to imitate another', async () => {
    const { running } = await run('--port', '0', '--version', '3.10');
    const connection = await connect((running.kind === 'running' && running.broker.url) || '');
    expect(connection.connection.serverProperties.version).toBe('3.10.8');
    await connection.close();
    await stop(running);
    expect((await run('--version', '3.9')).err).toContain('--version must be 3.10 or 4');
  });

  it.each(['0.0.0.0:5672', '[::]:5672', '192.0.2.1:5672'])(
    'refuses to listen on %s without --host',
    async (port) => {
      const { running, err } = await run('--port', port);
      expect(running).toEqual({ kind: 'ended', code: 2 });
      expect(err).toContain('refuses to listen on');
    },
  );

  it('listens on another address when told so, and warns', async () => {
    const { running, out } = await run('--port', '0', '--host', '0.0.0.0');
    expect(out).toContain('Other machines can connect');
    await stop(running);
  });

  it.each([
    [['--port', 'http'], '--port must be an integer'],
    [['--user', 'ann'], '--user and WARREN_BROKER_USERS must be name:password'],
    [['--memory-limit', 'much'], '--memory-limit must be'],
    [['--disk'], "Unknown option '--disk'"],
  ])('ends with 2 and says why for %j', async (args, reason) => {
    const { running, err } = await run(...args);
    expect(running).toEqual({ kind: 'ended', code: 2 });
    expect(err).toContain(reason);
  });

  it.each([[['--management', '0']], [['--management=0', '--vhost', 'x']]])(
    'has the management API when asked: %j',
    async (args) => {
      const { running, out } = await run('--port', '0', ...args);
      const url = new URL(/Management API at (\S+)/.exec(out)?.[1] ?? '');
      const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`;
      const response = await fetch(`${url.origin}/api/whoami`, { headers: { authorization } });
      expect(await response.json()).toMatchObject({ name: 'guest' });
      await stop(running);
    },
  );

  it('does not start with definitions that are wrong, and says where', async () => {
    const { running, err } = await run('--port', '0', '--definitions', 'package.json.missing');
    expect(running).toEqual({ kind: 'ended', code: 1 });
    expect(err).toContain('package.json.missing');
  });

  it('shows its options when asked', async () => {
    const { running, out } = await run('--help');
    expect(running).toEqual({ kind: 'ended', code: 0 });
    expect(out).toContain('--memory-limit');
  });
});
