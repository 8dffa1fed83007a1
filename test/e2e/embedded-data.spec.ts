// An embedded broker with a folder, killed at moments of nobody's choosing: what it confirmed is there when it is back.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'amqplib';
import { Child } from '../../tools/demo/child.mjs';
import { until } from '../support/events.js';
import { BUILD, path } from './demo-processes.js';

const ROUNDS = 5;
const QUEUE = 'orders';
const AS_GUEST = { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` };

describe('an embedded broker with a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warren-killed-'));
  const children: Child[] = [];

  beforeAll(async () => {
    const build = new Child('the build', [path('tools/build.mjs'), '--if-needed']);
    expect((await build.ended).code).toBe(0);
  }, BUILD);
  afterAll(async () => {
    await Promise.all(children.map((child) => child.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(): Promise<{ child: Child; url: string; management: string }> {
    const program = path('libs/embedded/dist/esm/bin.js');
    const child = new Child('the embedded broker', [
      program,
      '--port',
      '0',
      '--management',
      '0',
      '--data',
      folder,
    ]);
    children.push(child);
    const said = (what: RegExp) => (): string | undefined =>
      child.all('line').flatMap(({ text }) => what.exec(String(text))?.[0] ?? [])[0];
    const management = new URL(await until(said(/http:\S+/), 'the broker to listen')).origin;
    return { child, url: await until(said(/amqp:\S+/), 'the broker to listen'), management };
  }

  /** Adds users, one after the other, until the broker is gone; says who was added. */
  async function addUsers(management: string, round: number): Promise<string[]> {
    const added: string[] = [];
    for (let n = 0; ; n += 1) {
      const name = `user-${round}-${n}`;
      const body = JSON.stringify({ password: 'x', tags: '' });
      const put = { method: 'PUT', headers: AS_GUEST, body };
      const response = await fetch(`${management}/api/users/${name}`, put).catch(() => undefined);
      if (!response) return added;
      expect(response.status).toBe(201);
      added.push(name);
    }
  }

  /** Publishes until the broker is gone, acks some of it; adds what was confirmed and what was acked. */
  async function work(url: string, round: number, seen: Seen, kill: () => void): Promise<void> {
    const connection = await connect(url, { noDelay: true });
    connection.on('error', () => undefined);
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.prefetch(20);
    await channel.consume(QUEUE, (message) => {
      if (!message || Number(message.content) % 3 !== 0) return;
      seen.acked.add(String(message.content));
      channel.ack(message);
    });
    const gone = new Promise<void>((resolve) => connection.once('close', () => resolve()));
    const wanted = 30 + Math.floor(Math.random() * 400);
    let confirmed = 0;
    const confirm = (body: string): void => {
      seen.confirmed.add(body);
      if ((confirmed += 1) === wanted) kill();
    };
    const more = (): void => {
      if (confirmed >= wanted) return;
      for (let n = 0; n < 25; n += 1) {
        const body = String(seen.next++);
        channel.sendToQueue(
          QUEUE,
          Buffer.from(body),
          { persistent: true },
          (error) => !error && confirm(body),
        );
      }
      setImmediate(more);
    };
    more();
    await gone;
    expect([round, confirmed >= wanted]).toEqual([round, true]);
  }

  it('that is killed again and again loses nothing that it confirmed', async () => {
    const seen: Seen = { confirmed: new Set(), acked: new Set(), users: new Set(), next: 1 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const { child, url, management } = await start();
      const adding = addUsers(management, round);
      await work(url, round, seen, () => child.signal('SIGKILL'));
      await child.ended;
      for (const name of await adding) seen.users.add(name);
    }
    const { child, url, management } = await start();
    const response = await fetch(`${management}/api/users`, { headers: AS_GUEST });
    const users = new Set(((await response.json()) as { name: string }[]).map(({ name }) => name));
    expect([...seen.users].filter((name) => !users.has(name))).toEqual([]);
    const connection = await connect(url);
    const channel = await connection.createChannel();
    const left = new Set<string>();
    for (
      let got = await channel.get(QUEUE, { noAck: true });
      got;
      got = await channel.get(QUEUE, { noAck: true })
    )
      left.add(String(got.content));
    await connection.close();
    expect([...seen.confirmed].filter((body) => !left.has(body) && !seen.acked.has(body))).toEqual([]);
    expect(seen.confirmed.size).toBeGreaterThan(ROUNDS * 30);
    expect(child.complaints).toBe('');
  }, 60_000);
});

interface Seen {
  readonly confirmed: Set<string>;
  readonly acked: Set<string>;
  readonly users: Set<string>;
  next: number;
}
