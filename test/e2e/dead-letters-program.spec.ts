// `warren dead`, `warren tap` and `warren trace`: what they print, their exit codes, and that a replay which is interrupted or
// killed in the middle has lost nothing. Where it is about signals and streams they are processes, each a second of CPU.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { journal } from '@warren/amqp';
import { onEachBroker, onRabbitMQ } from '../support/brokers.js';
import { until } from '../support/events.js';
import { count, warren as warrenObject } from '../support/warren.js';
import { runWarren } from '../../libs/nestjs/src/cli/command.js';
import { fill, idsOf, kinds, ready } from './dead-letters.js';

const BUILD = 180_000;
const root = join(import.meta.dirname, '../..');
const running = new Set<ChildProcess>();

interface Run {
  readonly process: ChildProcess;
  out: string;
  err: string;
  /** Resolves with exit code or signal. */
  readonly ended: Promise<number | string>;
}

function start(args: readonly string[], environment: Record<string, string> = {}): Run {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return (code ?? signal) as number | string;
  });
  const run: Run = { process: child, out: '', err: '', ended };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (run.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (run.err += text));
  return run;
}

const program = join(root, 'libs/nestjs/dist/esm/cli/warren.js');
const warren = (...args: readonly string[]): Run => start([program, ...args]);

interface Said {
  readonly code: number | string;
  readonly out: string;
  readonly err: string;
}

/** What the program says as a process. */
async function ran(...args: readonly string[]): Promise<Said> {
  const run = warren(...args);
  const code = await run.ended;
  return { code, out: run.out, err: run.err };
}

/** What its command says in this process. */
async function said(...args: readonly string[]): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await runWarren(args, {
    out: (text) => void out.push(`${text}\n`),
    err: (text) => void err.push(`${text}\n`),
    program,
    environment: {},
    signal: new AbortController().signal,
  });
  return { code, out: out.join(''), err: err.join('') };
}

jest.setTimeout(240_000);
beforeAll(async () => {
  const build = start(['tools/build.mjs', '--if-needed']);
  if ((await build.ended) !== 0) throw new Error(`cannot be built: ${build.out}${build.err}`);
}, BUILD);
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

describe('the program warren', () => {
  it('says how it is used and which version it is', async () => {
    const help = await ran('--help');
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toContain('Usage: warren dead list');
    expect(await said('dead', 'replay', '--help')).toMatchObject({ code: 0, out: help.out });
    expect((await ran('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('ends with a code that says that the usage was wrong, and why', async () => {
    const { code, out, err } = await ran('dead', 'rise');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain("unknown command 'dead rise'");
  });

  it.each([
    [[], 'a command is required'],
    [['deed'], "unknown command 'deed'"],
    [['dead', 'rise'], "unknown command 'dead rise'"],
    [['dead', 'constructor'], "unknown command 'dead constructor'"],
    [['dead', 'show'], 'requires the name of one queue'],
    [['dead', 'list'], 'requires a queue, or --management'],
    [['dead', 'show', 'q', '--yes'], "'dead show' has no option --yes"],
    [['dead', 'replay', 'q', '--limit', '0'], '--limit must be a positive integer'],
    [['dead', 'replay', 'q', '--older', 'long'], '--older must be a duration'],
    [['dead', 'replay', 'q', '--wrong'], "'--wrong'"],
    [['tap', 'order.#', '--limit', 'many'], '--limit must be a positive integer'],
  ])('%j is wrong usage, and it says why', async (args, complaint) => {
    const { code, out, err } = await said(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(complaint);
    // The last line is what is read first.
    expect(err.trimEnd().split('\n').at(-1)).toMatch(/^warren: .*\(see warren --help\)$/);
    expect(err).toMatch(/^Usage: warren /);
  });

  it('fails when its output cannot be written, to a full disk for example', async () => {
    // A device of Linux on which nothing can be written.
    if (!existsSync('/dev/full')) return;
    const full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, [program, '--help'], { stdio: ['ignore', full.fd, 'pipe'] });
    let err = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(err).toMatch(/^warren: cannot write the output: ENOSPC.*\n$/);
    await full.close();
  });

  it('tells a broker that is not there within seconds, without the password', async () => {
    const { code, err } = await ran('dead', 'list', 'q', '--url', 'amqp://me:secret@127.0.0.1:1');
    expect(code).toBe(4);
    expect(err).toContain('cannot reach amqp://127.0.0.1:1');
    expect(err).not.toContain('secret');
  });
});

onEachBroker('the program warren', (broker) => {
  it('lists, shows, saves and drops, and says with its exit code when there is nothing', async () => {
    const url = ['--url', broker.url];
    const scratch = await mkdtemp(join(tmpdir(), 'warren-dead-letters-'));
    try {
      const ids = await fill(broker, 'orders', 3, {});
      const list = await ran('dead', 'list', 'orders', ...url);
      expect(list).toMatchObject({ code: 0, err: '' });
      expect(list.out).toMatch(/^orders\.dead: 3 messages\n {2}# {2}failed at/);
      expect(list.out).toMatch(/orders-1 +attempts-exhausted +Orders\.place +TypeError: no luck with 1/);

      const shown = await said('dead', 'show', 'orders.dead', '--id', ids[1], ...url);
      expect(shown).toMatchObject({ code: 0, err: '' });
      expect(shown.out).toContain('-- orders.dead #2');
      expect(shown.out).toContain('    {\n      "order": 1\n    }');

      const file = join(scratch, 'letters.jsonl');
      expect(await said('dead', 'drop', 'orders', '--error', 'TypeError', ...url)).toMatchObject({ code: 2 });
      expect(await count(broker, 'orders.dead')).toBe(3);
      const drop = ['dead', 'drop', 'orders', '--error', 'TypeError', '--yes', '--save', file, ...url];
      expect(await said(...drop)).toMatchObject({ code: 0, out: 'dropped 1 of 3 messages, 2 kept\n' });
      expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ id: ids[1], body: '{"order":1}' });
      expect(await said(...drop)).toMatchObject({
        code: 2,
        err: expect.stringContaining('not overwritten'),
      });
      await ready(broker, 'orders.dead', 2);

      const replay = await said('dead', 'replay', 'orders', '--json', ...url);
      expect(
        replay.out
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { done: number }).done),
      ).toEqual([2, 2]);
      expect(await said('dead', 'replay', 'orders', ...url)).toMatchObject({ code: 7 });
      expect(await said('dead', 'show', 'nobody', ...url)).toMatchObject({
        code: 3,
        err: "warren: queue 'nobody.dead' does not exist (check the name and the virtual host of the URL)\n",
      });
    } finally {
      await rm(scratch, { recursive: true });
    }
  });

  it('waits for a reader of its output that is slow, and for one that does not read until it is interrupted', async () => {
    const url = ['--url', broker.url];
    const channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertQueue('slow.dead', { durable: true });
    for (let n = 0; n < 40; n++) channel.sendToQueue('slow.dead', Buffer.alloc(100_000, 'x'));
    await channel.waitForConfirms();
    const child = spawn(
      process.execPath,
      [program, 'dead', 'show', 'slow', '--limit', '40', '--json', ...url],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    running.add(child);
    const ended = once(child, 'close');
    // waits: longer than the program gives connections to close.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    expect(await ended).toEqual([0, null]);
    const bodies = out
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { body: string }).body.length);
    expect(bodies).toEqual(Array.from({ length: 40 }, () => 100_000));

    await ready(broker, 'slow.dead', 40);
    const unread = spawn(process.execPath, [program, 'dead', 'show', 'slow', '--json', ...url], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    running.add(unread);
    const interrupted = once(unread, 'exit');
    // waits: the same, for what a program does not do.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(unread.exitCode).toBe(null);
    unread.kill('SIGTERM');
    expect(await interrupted).toEqual([130, null]);
  });

  it('says that user or password are wrong, and prints neither', async () => {
    const url = new URL(broker.url);
    url.password = 'hush-hush';
    const { code, out, err } = await said('dead', 'list', 'q', '--url', url.href);
    expect(code).toBe(5);
    expect(out + err).toContain('rejected the user name or password');
    expect(out + err).not.toContain('hush-hush');
  });

  it('taps an exchange until SIGINT, the limit, a closed pipe or the loss of its connection, and says which', async () => {
    const channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertExchange('events', 'topic');
    const send = (key: string): boolean =>
      channel.publish('events', key, Buffer.from('{"a":1}'), { messageId: key });
    const tap = async (...args: string[]): Promise<Run> => {
      const run = warren('tap', ...args, '--url', broker.url);
      await until(() => run.err.includes("Reading from exchange 'events'."), 'the tap');
      return run;
    };
    const [interrupted, limited, piped] = await Promise.all([
      tap('order.#'),
      tap('order.#', '--limit', '2', '--json'),
      tap(),
    ]);
    piped.process.stdout?.destroy();
    for (const key of ['order.1', 'other', 'order.2']) send(key);
    expect(await limited.ended).toBe(0);
    expect(await piped.ended).toBe(0);
    await until(() => interrupted.out.includes('order.2'), 'both messages');
    interrupted.process.kill('SIGINT');
    expect(await interrupted.ended).toBe(130);
    expect(interrupted.out).toMatch(
      /^\S+ {2}order\.1 {2}id order\.1 {2}7 bytes\n {4}\{"a":1\}\n\S+ {2}order\.2 .*\n.*\n$/,
    );
    const lines = limited.out.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { routingKey: string }).routingKey)).toEqual([
      'order.1',
      'order.2',
    ]);

    const lost = await tap();
    await broker.closeConnections();
    expect(await lost.ended).toBe(4);
    expect(lost.err).toContain('warren: the connection was lost: ');
    expect(await said('tap', '--exchange', 'nowhere', '--url', broker.url)).toMatchObject({
      code: 3,
      err: "warren: exchange 'nowhere' does not exist (check the name and the virtual host of the URL)\n",
    });
  });

  it('traces a message through the instances that run, to its dead letter', async () => {
    const shop = warrenObject(broker.url, { service: 'p.shop', fleet: true, plugins: [journal()] });
    await shop
      .consume('p.parcels', () => Promise.reject(new TypeError('no address')), { retry: false })
      .open();
    const { messageId } = await shop.broker.send('p.parcels', { secret: 1 });
    await until(async () => (await count(broker, 'p.parcels.dead')) > 0, 'the dead letter');
    const trace = (...args: string[]): Promise<Said> => said('trace', ...args, '--url', broker.url);
    // On a busy machine the answers may come after its time.
    const { code, out, err } = await until(async () => {
      const traced = await trace(messageId);
      return traced.out.includes('dead letter') && traced;
    }, 'the whole trace');
    expect(out).toMatch(
      new RegExp(
        `^message ${messageId} to queue p\\.parcels, by p\\.shop\n.*sent.*\n.*attempt 1 of p\\.parcels in p\\.shop`,
      ),
    );
    expect(out).toContain(`dead letter ${messageId} lies in p.parcels.dead at position 1`);
    expect(err).toContain('Asked: p.shop');
    expect(code).toBe(0);
    // The name of its queue is enough, and messages of that queue are left alone.
    const { out: found } = await trace(messageId, '--queue', 'p.parcels', '--timeout', '500ms');
    expect(found).toContain(`dead letter ${messageId} lies in p.parcels.dead at position 1`);
    expect(await trace('nobody', '--timeout', '500ms')).toMatchObject({
      code: 7,
      err: expect.stringContaining('Nothing is known of nobody.'),
    });
  });

  it('what moves the cursor of a terminal is printed, not obeyed', async () => {
    const channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertQueue('evil.dead', { durable: true });
    const headers = {
      'x-exception-type': '\u001b[2J',
      'x-warren-queue': 'evil\u001b]0;x\u0007',
      note: '\u009b1m',
    };
    channel.sendToQueue('evil.dead', Buffer.from('a\u001b[31mb\u202e'), { headers, messageId: '\u001b[H' });
    channel.sendToQueue('evil.dead', Buffer.from([0, 1, 27, 255]), {});
    await channel.waitForConfirms();
    const list = await said('dead', 'list', 'evil', '--url', broker.url);
    const show = await said('dead', 'show', 'evil', '--url', broker.url);
    expect(list.out + show.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(show.out).toContain('0000  00 01 1b ff');
  });

  describe.each(kinds)('given a replay of 1 000 messages from a $kind queue', ({ kind, args }) => {
    it.each<[string, (child: ChildProcess) => unknown]>([
      ['SIGINT', (child) => child.kill('SIGINT')],
      ['a closed pipe', (child) => child.stdout?.destroy()],
    ])('%s ends it after its batch: none lost, none twice, the rest in order', async (by, end) => {
      const queue = `${by === 'SIGINT' ? 'sigint' : 'pipe'}-${kind}`;
      const ids = await fill(broker, queue, 1_000, args);
      const run = warren('dead', 'replay', queue, '--batch', '10', '--json', '--url', broker.url);
      await until(() => run.out.split('\n').length > 10, 'some batches');
      end(run.process);
      expect(await run.ended).toBe(130);
      const done = await count(broker, queue);
      expect(done).toBeLessThan(1_000);
      if (by === 'SIGINT') {
        const result = JSON.parse(run.out.trim().split('\n').at(-1) as string) as { done: number };
        expect(result.done).toBe(done);
      }
      await ready(broker, `${queue}.dead`, 1_000 - done);
      expect(await idsOf(broker, queue)).toEqual(ids.slice(0, done));
      expect(await idsOf(broker, `${queue}.dead`)).toEqual(ids.slice(done));
    });

    it('kill -9 in the middle loses none, and at most its batch is there twice', async () => {
      const queue = `kill-${kind}`;
      const ids = await fill(broker, queue, 1_000, args);
      const run = warren('dead', 'replay', queue, '--batch', '50', '--json', '--url', broker.url);
      await until(() => run.out.split('\n').length > 5, 'some batches');
      run.process.kill('SIGKILL');
      expect(await run.ended).toBe('SIGKILL');
      // The broker notices the end of the connection when it reads it.
      let before = -1;
      await until(async () => {
        const now = (await count(broker, queue)) + (await count(broker, `${queue}.dead`));
        const same = now === before && now >= 1_000;
        before = now;
        return same;
      }, 'the messages to be returned');
      const replayed = await idsOf(broker, queue);
      const dead = await idsOf(broker, `${queue}.dead`);
      expect(replayed.length).toBeLessThan(1_000);
      expect(new Set([...replayed, ...dead])).toEqual(new Set(ids));
      expect(replayed.length + dead.length - 1_000).toBeLessThanOrEqual(50);
    });
  });
});

onRabbitMQ('the program warren', (broker) => {
  it('finds all dead-letter queues through the management API', async () => {
    await fill(broker, 'a', 2, {});
    const management = process.env.RABBITMQ_MANAGEMENT_URL ?? '';
    const listed = await until(async () => {
      const run = await said('dead', 'list', '--url', broker.url, '--management', management);
      return /^ +2 {2}a\.dead$/m.test(run.out) && run;
    }, 'the statistics to say so');
    expect(listed.code).toBe(0);
    expect(listed.out).not.toMatch(/ a$/m);
  });
});
