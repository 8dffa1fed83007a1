import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ChannelModel, connect, credentials } from 'amqplib';
import { runCommand } from './command.js';
import { EmbeddedBroker } from './embedded-broker.js';
import type { BrokerTls } from './server/tls.js';

const path = (name: string): string => join(import.meta.dirname, '../../../test/support/tls', name);
const file = (name: string): Buffer => readFileSync(path(name));
/** `cert.pem` is its own authority, and that of `client.pem`, whose common name is `warren-client`. */
const [ca, key, client] = [file('cert.pem'), file('key.pem'), file('client.pem')];
const server = { key, cert: ca };

let broker: EmbeddedBroker;

async function start(tls: BrokerTls): Promise<void> {
  broker = await EmbeddedBroker.start({ tls });
}

/** Connects as whoever the options say. */
function open(options: object, url = broker.url): Promise<ChannelModel> {
  return connect(url, options);
}

const byCertificate = { ca, key, cert: client, credentials: credentials.external() };

describe('TLS of an embedded broker', () => {
  afterEach(() => broker.close());

  it('carries messages to clients that know its authority, and refuses others', async () => {
    await start(server);
    expect(broker.url).toMatch(/^amqps:\/\/guest:guest@127\.0\.0\.1:\d+$/);
    const connection = await open({ ca });
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('work');
    channel.sendToQueue('work', Buffer.alloc(300_000, 'x'));
    await channel.waitForConfirms();
    expect(await channel.get('work')).toMatchObject({ content: Buffer.alloc(300_000, 'x') });
    await connection.close();
    await expect(open({})).rejects.toThrow('self-signed certificate');
    await expect(open({}, broker.url.replace('amqps:', 'amqp:'))).rejects.toThrow();
  });

  it('knows clients by their certificates', async () => {
    await start({ ...server, ca });
    await expect(open({ ca })).rejects.toThrow(/certificate required|closed/i);
    await expect(open(byCertificate)).rejects.toThrow(/ACCESS_REFUSED|403/);
    await broker.users.add('warren-client', 'not used');
    const connection = await open(byCertificate);
    expect((await broker.inspect()).connections).toMatchObject([{ user: 'warren-client' }]);
    await connection.close();
    const withPassword = await open({ ca, key, cert: client });
    expect((await broker.inspect()).connections).toMatchObject([{ user: 'guest' }]);
    await withPassword.close();
  });

  it('lets clients without a certificate log in with a password where it may', async () => {
    await start({ ...server, ca, rejectUnauthorized: false });
    await (await open({ ca })).close();
    await expect(open({ ca, credentials: credentials.external() })).rejects.toThrow(/ACCESS_REFUSED|403/);
  });

  it('does not offer certificates for logging in where it asks for none', async () => {
    await start(server);
    await expect(open({ ca, credentials: credentials.external() })).rejects.toThrow(/EXTERNAL/);
  });

  it('fails like others when a test wants it', async () => {
    await start(server);
    const connection = await open({ ca });
    connection.on('error', () => undefined);
    const closed = new Promise((resolve) => connection.once('close', resolve));
    expect(await broker.faults.cut()).toBe(1);
    await closed;
    await broker.faults.refuse();
    await expect(open({ ca })).rejects.toThrow();
  });

  it('closes although a client never finished its handshake', async () => {
    await start(server);
    const socket = connectSocket(broker.port, '127.0.0.1');
    await once(socket, 'connect');
    const ended = new Promise((resolve) => socket.once('close', resolve));
    await broker.close();
    socket.resume();
    await ended;
  });
});

describe('warren-broker with TLS', () => {
  const output = { out: () => undefined, err: () => undefined };

  it('takes its certificate, key and authority from files', async () => {
    const files = [
      '--tls-cert',
      path('cert.pem'),
      '--tls-key',
      path('key.pem'),
      '--tls-ca',
      path('cert.pem'),
    ];
    const running = await runCommand(['--port', '0', ...files], output, {});
    if (running.kind !== 'running') throw new Error('it did not start');
    const connection = await open({ ca, key, cert: client }, running.broker.url);
    await connection.close();
    await running.broker.close();
  });

  it.each([['--tls-cert'], ['--tls-key'], ['--tls-ca']])('needs more than %s', async (name) => {
    expect(await runCommand(['--port', '0', name, path('cert.pem')], output, {})).toEqual({
      kind: 'ended',
      code: 2,
    });
  });
});
