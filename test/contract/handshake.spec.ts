// How a connection begins: what the broker says of itself, whom it lets in, and what it says to the others.
import { expect, it } from '@jest/globals';
import { credentials } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { nextEvent } from '../support/events.js';
import { handshakeRefusal, Session } from './session.js';

const REFUSED = (mechanism: string): string =>
  `403 ACCESS_REFUSED - Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`;

onEachVersion('A connection', (broker) => {
  const changed = (change: (url: URL) => void): string => {
    const url = new URL(broker.url);
    change(url);
    return url.href;
  };

  it.each([
    'publisher_confirms',
    'exchange_exchange_bindings',
    'basic.nack',
    'consumer_cancel_notify',
    'connection.blocked',
    'consumer_priorities',
    'authentication_failure_close',
    'per_consumer_qos',
    'direct_reply_to',
  ])('is told that the broker can %s', async (capability) => {
    const { connection } = await Session.open(broker);
    const { capabilities } = connection.connection.serverProperties as unknown as {
      capabilities: Record<string, unknown>;
    };
    expect(capabilities[capability]).toBe(true);
  });

  it('is told product, version and platform as text', async () => {
    const { connection } = await Session.open(broker);
    const { product, version, platform } = connection.connection.serverProperties;
    expect([product, version, platform]).toEqual([
      expect.any(String),
      expect.any(String),
      expect.any(String),
    ]);
  });

  it('with a wrong password is refused with 403', async () => {
    expect(await handshakeRefusal(changed((url) => (url.password = 'wrong')))).toBe(REFUSED('PLAIN'));
  });

  it('with an unknown user is refused with 403', async () => {
    expect(await handshakeRefusal(changed((url) => (url.username = 'nobody-knows-me')))).toBe(
      REFUSED('PLAIN'),
    );
  });

  it('may log in with AMQPLAIN', async () => {
    const { username, password } = new URL(broker.url);
    const login = credentials.amqplain(decodeURIComponent(username), decodeURIComponent(password));
    expect(await handshakeRefusal(broker.url, { credentials: login })).toBe(
      'The broker accepted the connection.',
    );
  });

  it('with a wrong password in AMQPLAIN is refused with 403', async () => {
    const { username } = new URL(broker.url);
    const login = credentials.amqplain(decodeURIComponent(username), 'wrong');
    expect(await handshakeRefusal(broker.url, { credentials: login })).toBe(REFUSED('AMQPLAIN'));
  });

  it('gets the smaller heartbeat that it asks for', async () => {
    const { connection } = await Session.open(broker, { heartbeat: 7 });
    expect((connection.connection as unknown as { heartbeat: number }).heartbeat).toBe(7);
  });

  it.each([0, 1, 8184, 8185, 100_000])(
    'with frames of 8192 bytes carries a body of %d bytes whole',
    async (size) => {
      const session = await Session.open(broker, {
        url: changed((url) => url.searchParams.set('frameMax', '8192')),
      });
      const queue = await session.queue();
      const body = Buffer.alloc(size, 'abcdefg');
      await session.publish('', queue, body);
      const message = await session.get(queue);
      expect(message && message.content.equals(body)).toBe(true);
    },
  );

  it('carries a body of three megabytes whole', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue();
    const body = Buffer.alloc(3 * 1024 * 1024, 'xyz');
    await session.publish('', queue, body);
    const message = await session.get(queue);
    expect(message && message.content.equals(body)).toBe(true);
  });

  it('may have no more channels than agreed', async () => {
    const session = await Session.open(broker, {
      url: changed((url) => url.searchParams.set('channelMax', '2')),
    });
    await session.sibling();
    await expect(session.connection.createChannel()).rejects.toThrow('No channels left to allocate');
  });

  it('closed by the operator is told so with 320', async () => {
    const { connection } = await Session.open(broker);
    const closed = nextEvent<Error>(connection, 'close');
    await broker.closeConnections();
    expect((await closed).message).toMatch(/320 \(CONNECTION-FORCED\) with message "CONNECTION_FORCED/);
  });
});
