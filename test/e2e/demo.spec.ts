// `npm run demo` itself, as the README promises it: exit code 0 when everything was right, 1 when something was not,
// and nothing left behind: no process, no queue.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as dial } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'amqplib';
import { findRabbitMQ, startRabbitMQ, type RabbitMQNode } from '../../tools/rabbitmq.mjs';
import { onRabbitMQ } from '../support/brokers.js';
import { until } from '../support/events.js';
import { Child, lines, path, withApplications } from './demo-processes.js';

/** The demo takes well under a minute; machines that are busy with other tests take much longer: it starts processes. */
const MINUTES = 600_000;

const demo = (...args: readonly string[]): Child => new Child('the demo', [path('tools/demo.mjs'), ...args]);

const text = (child: Child): string => lines(child).join('\n');

/** Whether somebody listens on that port of this machine. */
async function listens(port: number): Promise<boolean> {
  const socket = dial(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

withApplications();

describe('npm run demo on the embedded broker', () => {
  it(
    // All of them are played by `npm run demo` itself in every check.
    'shows a scene, and finds it right',
    async () => {
      const child = demo('--only', 'Hello World');
      const { code } = await child.ended;
      expect([code, child.complaints, text(child)]).toEqual([
        0,
        '',
        expect.stringMatching(/^All right: 1 scene/m),
      ]);
      expect(text(child)).not.toContain('✗');
      expect(text(child)).not.toContain('Not shown');
      expect(text(child)).toContain('producer ──"Hello World!"──▶ queue hello ──▶ consumer: "Hello World!"');
      const port = Number(/port (\d+)/.exec(text(child))?.[1]);
      expect(await listens(port)).toBe(false);
    },
    MINUTES,
  );

  it(
    'ends with its broker and its children when it is interrupted',
    async () => {
      const child = demo();
      await until(() => text(child).includes('1. '), 'the first scene', MINUTES);
      child.signal('SIGINT');
      expect(await child.ended).toEqual({ code: 130, signal: null });
      expect(await listens(Number(/port (\d+)/.exec(text(child))?.[1]))).toBe(false);
    },
    MINUTES,
  );

  it(
    'is not content with having shown nothing',
    async () => {
      const child = demo('--only', 'no such scene');
      expect(await child.ended).toEqual({ code: 1, signal: null });
      expect(text(child)).toContain('No scene was played.');
    },
    MINUTES,
  );
});

describe('npm run demo with a wrong command line', () => {
  it('shows its options', async () => {
    const child = demo('--bunny');
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(child.complaints).toMatch(/Unknown option '--bunny'[\s\S]*--restart <command>/);
  });

  it('says that there is no broker at that URL', async () => {
    const child = demo('--url', 'amqp://user:hidden@127.0.0.1:1');
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(child.complaints).toMatch(/^\nThe demo needs a broker: .*127\.0\.0\.1:1.*\n$/);
    expect(child.complaints).not.toContain('hidden');
  });
});

onRabbitMQ('npm run demo without a way to restart', (broker) => {
  const url = (): readonly string[] => ['--url', broker.url, '--management', 'http://127.0.0.1:1'];

  it(
    'finds the rest right, says what it would need, and leaves its queue not behind',
    async () => {
      const child = demo(...url(), '--only', 'the broker restarts');
      const { code } = await child.ended;
      const right = expect.stringMatching(/^All right: 1 scene, 1 check/m);
      expect([code, child.complaints, text(child)]).toEqual([0, '', right]);
      expect(text(child)).toMatch(/^Not shown: .*--restart/m);
      const prefix = /called (demo-\w+)\./.exec(text(child))?.[1] ?? '';
      const channel = await (await broker.connect()).createChannel();
      channel.on('error', () => undefined);
      await expect(channel.checkQueue(`${prefix}.durable_queue`)).rejects.toThrow(/404/);
    },
    MINUTES,
  );

  it(
    'says what it would need to make a vhost',
    async () => {
      const child = demo(...url(), '--only', 'vhost');
      expect(await child.ended).toEqual({ code: 0, signal: null });
      expect(text(child)).toMatch(/^Not shown: .*--management/m);
    },
    MINUTES,
  );
});

/** Those that ask the broker something themselves, or leave other kinds of things there; it plays the others alike on any. */
const scenes = [
  'Topics',
  'RPC: ask',
  'without acknowledgements',
  'Retry:',
  'Dead letter:',
  'vhost',
  'restarts',
];

if (process.env.RABBITMQ_URL && findRabbitMQ()) {
  describe('npm run demo on a RabbitMQ that it may restart', () => {
    let node: RabbitMQNode;
    let remote: Server;

    beforeAll(async () => {
      node = await startRabbitMQ();
      // The command that restarts it: a request to this process, which holds the node.
      remote = createServer((_request, response) => {
        node.restart().then(
          () => response.end(),
          (error: unknown) => response.writeHead(500).end(String(error)),
        );
      }).listen(0, '127.0.0.1');
      await once(remote, 'listening');
    }, MINUTES);

    afterAll(async () => {
      remote.close();
      remote.closeAllConnections();
      await node.stop();
    }, MINUTES);

    it(
      'shows that durable messages survive, and cleans up',
      async () => {
        const { port } = remote.address() as AddressInfo;
        const call = `fetch('http://127.0.0.1:${port}').then((r) => process.exit(r.ok ? 0 : 1))`;
        const restart = `"${process.execPath}" -e "${call}"`;
        const args = ['--url', node.url, '--management', node.managementUrl ?? '', '--restart', restart];
        const child = demo(...args, ...scenes.flatMap((word) => ['--only', word]));
        const { code } = await child.ended;
        expect([code, child.complaints, text(child)]).toEqual([
          0,
          '',
          expect.stringMatching(/^All right: 7 scenes/m),
        ]);
        expect(text(child)).toContain('✓ after the restart the worker got all three, in order');
        expect(text(child)).toContain('✓ in the vhost its own user receives');
        expect(text(child)).not.toContain('Not shown');
        expect(await leftovers(node)).toEqual([]);
      },
      MINUTES,
    );
  });
}

/** What the demo left there, besides what all applications of a vhost share. */
async function leftovers(node: RabbitMQNode): Promise<string[]> {
  // A connection proves that the node answers; what it lists is asked of its management API.
  await (await connect(node.url)).close();
  const { origin, username, password } = new URL(node.managementUrl ?? '');
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const names = async (what: string): Promise<string[]> => {
    const response = await fetch(`${origin}/api/${what}`, { headers: { authorization } });
    return ((await response.json()) as { name: string }[]).map(({ name }) => name);
  };
  const all = await Promise.all(['queues', 'exchanges', 'vhosts', 'users'].map(names));
  return all.flat().filter((name) => !/^(amq\..*|guest|\/|warren\..*|)$/.test(name));
}
