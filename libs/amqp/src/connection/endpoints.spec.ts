import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { endpoints, type EndpointOptions } from './endpoints.js';
import { connectError } from './connect-error.js';

const options = { credentials: undefined, tls: undefined, heartbeat: 10_000 };
const one = async (url: string, more: Partial<EndpointOptions> = {}) =>
  (await endpoints({ ...options, url, ...more }))[0];

describe('endpoints', () => {
  it.each([
    ['amqp://h', 'amqp://h:5672/', 'h', 5_672, '/', 'guest', 'guest'],
    ['amqps://h', 'amqps://h:5671/', 'h', 5_671, '/', 'guest', 'guest'],
    ['amqp://u:p%40%3A%2F@h:1/a%2Fb', 'amqp://h:1/a%2Fb', 'h', 1, 'a/b', 'u', 'p@:/'],
    ['amqp://u@[::1]/%2f', 'amqp://[::1]:5672/', '::1', 5_672, '/', 'u', ''],
  ])('%s', async (url, label, hostname, port, vhost, username, password) => {
    const endpoint = await one(url);
    expect(endpoint.label).toBe(label);
    expect(endpoint.connect).toMatchObject({
      hostname,
      port,
      username,
      password,
      vhost: encodeURIComponent(vhost),
      heartbeat: 10,
    });
  });

  it('credentials given apart win, and the heartbeat of the URL as well', async () => {
    const endpoint = await one('amqp://u:p@h?heartbeat=3', {
      credentials: () => ({ username: 'x', password: 'y' }),
    });
    expect(endpoint.connect).toMatchObject({ username: 'x', password: 'y', heartbeat: 3 });
    expect((await one('amqp://h', { heartbeat: 200 })).connect.heartbeat).toBe(1);
    expect((await one('amqp://h', { heartbeat: 0 })).connect.heartbeat).toBe(0);
  });

  it.each([{ cert: 'c', key: 'k' }, { pfx: Buffer.from('p') }])(
    'a certificate of its own logs in by itself, unless a user is given: %j',
    async (tls) => {
      const mechanism = async (url: string) =>
        ((await one(url, { tls })).socket.credentials as { mechanism: string }).mechanism;
      expect([await mechanism('amqps://h'), await mechanism('amqps://u:p@h')]).toEqual(['EXTERNAL', 'PLAIN']);
    },
  );

  it.each([{ ca: 'c' }, { rejectUnauthorized: false }])(
    'options of TLS for a URL without it are a mistake, and no plain text: %j',
    async (tls) => {
      const url = ['amqps://a', 'amqp://u:s3cr3t@b'];
      const refused = endpoints({ ...options, url, tls });
      await expect(refused).rejects.toMatchObject({ code: 'WARREN_CONFIG' });
      await expect(refused).rejects.toThrow('the option tls is given, but the URL of b begins with amqp://');
    },
  );

  it('an option of TLS that is undefined is none', async () => {
    expect((await one('amqp://h', { tls: { ca: undefined } })).label).toBe('amqp://h:5672/');
  });

  it.each([
    [{ username: 'u', password: undefined }],
    [{ username: '', password: 's3cr3t' }],
    [{ user: 'u', pass: 's3cr3t' }],
    [undefined],
    ['s3cr3t'],
  ])('credentials that a function does not have in full are none: %j', async (found) => {
    const given = endpoints({ ...options, url: 'amqp://a:b@h', credentials: () => found as never });
    const error: unknown = await given.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WARREN_CONNECTION_REFUSED', reason: 'host' });
    expect((error as Error).message).toContain('the function credentials returned no { username, password }');
    expect(inspect(error, { depth: 10 })).not.toContain('s3cr3t');
  });

  it.each([undefined, null, 5, {}])('a function that has no URL for us: %j', async (found) => {
    await expect(endpoints({ ...options, url: () => found as never })).rejects.toMatchObject({
      code: 'WARREN_CONFIG',
    });
  });

  it.each([
    'http://u:s3cr3t@h',
    'amqp://u:s3cr3t@h:x',
    'amqp://u:1/s3cr3t@h',
    'amqp://u:1?s3cr3t@h',
    'amqp://h/%',
    'amqp://h?heartbeat=x',
    'amqp://h?frameMax=big',
    'amqp://h?hartbeat=5',
    'amqp://h?frame_max=4096',
    'amqp:h',
    'amqp:u:s3cr3t@h',
    'amqps:/h',
    '',
  ])('%s is refused without repeating it', async (url) => {
    const error = await one(url).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'WARREN_CONFIG' });
    expect(inspect(error, { depth: 10 })).not.toContain('s3cr3t');
  });

  it('takes the limits of the URL, and names the parameter that was meant', async () => {
    expect((await one('amqp://h/v?frameMax=8192&channelMax=7')).connect).toMatchObject({
      frameMax: 8_192,
      channelMax: 7,
    });
    await expect(one('amqp://h?frame_max=1')).rejects.toThrow(
      "url has an unknown parameter 'frame_max' (did you mean frameMax?",
    );
  });

  it('what a function says of its failure is told without the password in it', async () => {
    const url = (): Promise<string> =>
      Promise.reject(new Error('cannot read amqp://u:s3cret@h/v: no such host'));
    const failed = endpoints({ ...options, url }).catch((error: Error) => error.message);
    expect(await failed).toMatch(/cannot read amqp:\/\/….*no such host/);
    expect(await failed).not.toContain('s3cret');
  });

  it('a function that fails is a refusal that is tried again', async () => {
    await expect(
      endpoints({ ...options, url: () => Promise.reject(new Error('vault')) }),
    ).rejects.toMatchObject({ reason: 'host' });
    await expect(endpoints({ ...options, url: [] })).rejects.toMatchObject({ code: 'WARREN_CONFIG' });
  });
});

describe('refusal', () => {
  it.each([
    ['ENOTFOUND', 'the host name does not resolve'],
    ['EAI_AGAIN', 'DNS'],
    ['ECONNREFUSED', 'nothing listens on that port'],
    ['ECONNRESET', 'accepts connections and closes them'],
    ['EHOSTUNREACH', 'no network route'],
  ])('%s is said as what it is', (code, hint) => {
    const error = connectError(Object.assign(new Error('x'), { code }), 'amqp://h:5672/');
    expect(error).toMatchObject({ reason: 'host', hint: expect.stringContaining(hint) });
    expect(error.message).toContain(`cannot reach amqp://h:5672/ (${code})`);
  });

  it.each([
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'servername'],
    ['CERT_HAS_EXPIRED', 'expired'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tls: { ca }'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls: { ca }'],
    ['EPROTO', 'port 5671'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'port 5671'],
    ['ERR_TLS_HANDSHAKE', 'the option tls'],
  ])('TLS: %s has a hint of its own', (code, hint) => {
    const error = connectError(Object.assign(new Error('x'), { code }), 'amqps://h:5671/');
    expect(error).toMatchObject({ reason: 'tls', hint: expect.stringContaining(hint) });
  });

  it('names the embedded broker where nothing listens, in development only', () => {
    const given = process.env.NODE_ENV;
    const hintIn = (environment: string): string | undefined => {
      process.env.NODE_ENV = environment;
      return connectError(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'amqp://h:5672/').hint;
    };
    try {
      expect(hintIn('development')).toContain('npx warren-broker');
      expect(hintIn('production')).not.toContain('warren-broker');
    } finally {
      process.env.NODE_ENV = given;
    }
  });

  const failed = (message: string, code?: string | number): Error =>
    Object.assign(new Error(message), { code });
  it.each([
    [
      'credentials',
      failed(
        'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."',
      ),
    ],
    [
      'vhost',
      failed('Connection closed: 530 (NOT-ALLOWED) with message "NOT_ALLOWED - vhost nope not found"'),
    ],
    ['host', failed('connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED')],
    ['host', failed('getaddrinfo ENOTFOUND x', 'ENOTFOUND')],
    ['timeout', failed('connect ETIMEDOUT')],
    ['timeout', failed('connect timeout')],
    ['tls', failed('self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT')],
    ['protocol', failed('Expected ConnectionStart')],
    ['protocol', failed('Expected ConnectionStart from host403 in 530')],
    [
      'vhost',
      failed(
        "Connection closed: 403 (ACCESS-REFUSED) with message \"access to vhost 'v' refused for user 'u'\"",
      ),
    ],
  ])('%s', (reason, error) => {
    expect(connectError(error, 'amqp://h:1/')).toMatchObject({
      code: 'WARREN_CONNECTION_REFUSED',
      reason,
      message: expect.stringContaining('amqp://h:1/'),
    });
  });
});
