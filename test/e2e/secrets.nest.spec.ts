// No credentials in what a person may read or a machine may store: log lines, events, errors with everything that
// hangs on them, health. And one state is one line, whatever characters come over the wire.

import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { Injectable, Module, type INestApplicationContext, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Broker,
  Consume,
  OnRabbitEvent,
  Publisher,
  RabbitModule,
  RpcHandler,
  type BrokerEvent,
  type RabbitModuleOptions,
} from '@warren/nestjs';
import { RabbitHealthIndicator } from '@warren/nestjs/terminus';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { apps } from '../support/nest.js';
import { warren } from '../support/warren.js';

/** With characters that are written differently in a URL. */
const SECRET = 'h%dd/en s3cr3t:p@ss';

/** The forms in which a password may leak. */
const FORMS = [
  SECRET,
  encodeURIComponent(SECRET),
  encodeURI(SECRET),
  's3cr3t',
  Buffer.from(SECRET).toString('base64').slice(4, -4),
  Buffer.from('s3cr3t').toString('hex'),
  Buffer.from('s3cr3t')
    .toString('hex')
    .replace(/..(?=.)/g, '$& '),
];

@Injectable()
class Handlers {
  @Consume('secrets.orders', { retry: false })
  place(): void {
    throw new Error('refused');
  }

  @RpcHandler('secrets.quote')
  quote(): number {
    throw new Error('no quote today');
  }
}

@Injectable()
class Events {
  readonly all: BrokerEvent[] = [];

  @OnRabbitEvent('*')
  hear(event: BrokerEvent): void {
    this.all.push(event);
  }
}

/** Everything that an application says, one way or another. */
class Told implements LoggerService {
  readonly lines: string[] = [];
  readonly log = (...parts: unknown[]): void => void this.lines.push(everything(parts));
  readonly warn = this.log;
  readonly error = this.log;
  readonly debug = this.log;
  readonly verbose = this.log;
}

const everything = (value: unknown): string =>
  inspect(value, { depth: Infinity, showHidden: true, maxStringLength: Infinity, maxArrayLength: Infinity });

function expectNoSecret(text: string): void {
  const found = FORMS.filter((form) => text.includes(form));
  const at = found.length === 0 ? '' : text.slice(Math.max(0, text.indexOf(found[0]) - 200)).slice(0, 400);
  expect({ found, at }).toEqual({ found: [], at: '' });
}

interface Run {
  /** What starting rejected with, if it did. */
  readonly error: unknown;
  readonly told: Told;
  readonly app: INestApplicationContext | undefined;
}

async function run(options: RabbitModuleOptions): Promise<Run> {
  const told = new Told();
  @Module({
    imports: [
      RabbitModule.forRoot({
        service: 'secrets',
        queueType: 'classic',
        startupTimeout: '3s',
        reconnect: { min: 10, max: 40 },
        logger: told,
        ...options,
      }),
    ],
    providers: [Handlers, Events, RabbitHealthIndicator],
  })
  class AppModule {}
  try {
    const app = await NestFactory.createApplicationContext(AppModule, { logger: told, abortOnError: false });
    apps.push(app);
    return { error: undefined, told, app };
  } catch (error) {
    return { error, told, app: undefined };
  }
}

const withSecret = (url: string, change: (parsed: URL) => void = () => undefined): string => {
  const parsed = new URL(url);
  parsed.username = 'somebody';
  parsed.password = encodeURIComponent(SECRET);
  change(parsed);
  return parsed.href;
};
const NOWHERE = `amqp://somebody:${encodeURIComponent(SECRET)}@127.0.0.1:1/vhost`;

onEachBroker('an application that may not connect keeps its password to itself', (broker) => {
  const wrong: Record<string, () => RabbitModuleOptions> = {
    'a wrong password in the URL': () => ({ url: withSecret(broker.url) }),
    'a wrong password in the credentials': () => ({
      url: broker.url,
      credentials: { username: 'somebody', password: SECRET },
    }),
    'a wrong password from a function': () => ({
      url: () => Promise.resolve([withSecret(broker.url), NOWHERE]),
      credentials: () => Promise.resolve({ username: 'somebody', password: SECRET }),
    }),
    'a host that is not there': () => ({ url: NOWHERE }),
    'a host whose name is not known': () => ({
      url: withSecret(broker.url, (url) => (url.hostname = 'no-such-host.invalid')),
    }),
    'TLS to a port without': () => ({
      url: withSecret(broker.url).replace('amqp:', 'amqps:'),
      tls: { passphrase: SECRET },
    }),
    'a password that is not escaped': () => ({ url: `amqp://somebody:${SECRET}@127.0.0.1:1/` }),
    'a URL that is none': () => ({ url: `somebody:${SECRET}@127.0.0.1` }),
    'a URL of another protocol': () => ({ url: `https://somebody:${encodeURIComponent(SECRET)}@127.0.0.1/` }),
    'a URL function whose URL is none': () => ({
      url: () => new URL(`amqp://somebody:${encodeURIComponent(SECRET)}@127.0.0.1:port/`).href,
    }),
    'a URL function that fails with the URL in its message': () => ({
      url: () => Promise.reject(new Error(`cannot reach ${NOWHERE}`)),
    }),
    'credentials that are a text': () => ({ url: broker.url, credentials: SECRET as never }),
    'credentials with another name for the password': () => ({
      url: broker.url,
      credentials: { username: 'somebody', pass: SECRET } as never,
    }),
    'a list that holds something else': () => ({ url: [SECRET, { password: SECRET }] as never }),
    'TLS options that are a text': () => ({ url: broker.url, tls: SECRET as never }),
  };

  it.each(Object.keys(wrong))('%s: at start', async (name) => {
    const { error, told } = await run(wrong[name]());
    expect(error).toBeInstanceOf(Error);
    expectNoSecret(everything(error));
    expectNoSecret(told.lines.join('\n'));
  });

  it.each(Object.keys(wrong))('%s: in the background, with what listeners and health say', async (name) => {
    const { error, told, app } = await run({ ...wrong[name](), startup: 'background' });
    if (app) {
      const { all } = app.get(Events);
      await until(() => all.some(({ kind }) => kind === 'connect-failed'), 'the refusal to be told');
      const publish = app.get(Publisher).publish('x', {}, { timeout: '50ms' });
      expectNoSecret(everything(await publish.catch((reason: unknown) => reason)));
      expectNoSecret(everything(all));
      expectNoSecret(everything(app.get(RabbitHealthIndicator).check()));
      await app.close();
      expectNoSecret(everything(all));
    }
    expectNoSecret(everything(error));
    expectNoSecret(told.lines.join('\n'));
  });

  it('a line while it stays away, not one for each attempt', async () => {
    const { told, app } = await run({ url: NOWHERE, startup: 'background' });
    const { all } = (app as INestApplicationContext).get(Events);
    await until(() => all.filter(({ kind }) => kind === 'connect-failed').length > 20, 'twenty attempts');
    // One for each AMQP connection.
    const away = told.lines.filter((line) => line.includes('cannot reach'));
    const names = away.map((line) => /secrets:\w+/.exec(line)?.[0]);
    expect(names).toEqual([...new Set(names)]);
    expect(names.length).toBeGreaterThanOrEqual(2);
  });
});

onEachBroker('an application that runs', (broker) => {
  it('says nothing of its password, whatever happens to its messages and connections', async () => {
    const { app, told, error } = await run({ url: broker.url });
    expect(error).toBeUndefined();
    const { all } = (app as INestApplicationContext).get(Events);
    const publisher = (app as INestApplicationContext).get(Publisher);
    const heard = (kind: BrokerEvent['kind'], count = 1): Promise<unknown> =>
      until(() => all.filter((event) => event.kind === kind).length >= count, kind);
    const failures = await Promise.all([
      publisher.send('secrets.missing', {}).catch((reason: unknown) => reason),
      publisher.request('secrets.quote', {}).catch((reason: unknown) => reason),
      publisher.request('secrets.nobody', {}).catch((reason: unknown) => reason),
      publisher.send('secrets.orders', {}),
    ]);
    await heard('handled', 2);
    await broker.closeConnections();
    await heard('consumer-ready', 4);
    await (app as INestApplicationContext).close();
    const password = decodeURIComponent(new URL(broker.url).password);
    // That of the embedded broker is its user's name as well.
    const forms =
      password === 'guest' ? [':guest@'] : [password, Buffer.from(password).toString('base64').slice(0, -2)];
    const text = [everything(failures), everything(all), ...told.lines].join('\n');
    expect(forms.filter((form) => text.includes(form))).toEqual([]);
  });
});

onEachBroker('text from the wire in the log', (broker) => {
  const EVIL = '\r\n[warren] ERROR all is lost\u001b[2J\u2028\u0000';
  const expectOneLineEach = (lines: readonly string[]): void => {
    expect(lines.filter((line) => /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(line))).toEqual([]);
  };

  it.each([
    ['a routing key', { key: EVIL, body: '{', type: 'application/json' }],
    ['a body', { key: 'x', body: EVIL, type: 'application/json' }],
    ['a content type', { key: 'x', body: '{}', type: `application/${EVIL}` }],
    ['the message of an error', { key: 'x', body: '{}', type: 'application/json' }],
  ])('cannot forge lines with %s', async (_what, { key, body, type }) => {
    const rabbit = await warren(broker.url)
      .subscribe(
        ['#'],
        () => {
          throw new Error(EVIL);
        },
        { id: 'Evil.hear', retry: false } as never,
      )
      .open();
    const channel = await (await broker.connect()).createChannel();
    channel.publish('events', key, Buffer.from(body), { contentType: type });
    await until(
      () => rabbit.lines.some((line) => line.includes('dead-lettered')),
      'the failure to be logged',
    );
    expectOneLineEach(rabbit.lines);
  });

  it('cannot forge lines with reply-to, correlation id, headers or type of a request', async () => {
    const rabbit = await warren(broker.url, { rpc: { replyTo: 'any' } })
      .rpc('evil.rpc', () => {
        throw Object.assign(new Error(EVIL), { name: EVIL });
      })
      .open();
    const channel = await (await broker.connect()).createChannel();
    channel.sendToQueue('evil.rpc', Buffer.from('{}'), {
      replyTo: EVIL,
      correlationId: EVIL,
      type: EVIL,
      messageId: EVIL,
      contentType: 'application/json',
      headers: { [EVIL.slice(0, 20)]: EVIL, 'x-warren-attempt': EVIL },
    });
    await until(
      () => rabbit.lines.some((line) => line.includes('the reply to')),
      'the answer that goes nowhere',
    );
    expectOneLineEach(rabbit.lines);
  });

  it('cannot forge lines with what nobody handles', async () => {
    const rabbit = warren(broker.url);
    rabbit.subscribe(['a.b'], () => undefined, { id: 'A.b', queue: 'evil.shared', retry: false } as never);
    rabbit.subscribe(['a.c'], () => undefined, { id: 'A.c', queue: 'evil.shared', retry: false } as never);
    await rabbit.open();
    const channel = await (await broker.connect()).createChannel();
    channel.sendToQueue('evil.shared', Buffer.from('{}'), {
      headers: { 'x-warren-exchange': EVIL, 'x-warren-routing-key': EVIL },
    });
    await until(
      () => rabbit.lines.some((line) => line.includes('no handler')),
      'the message that nobody wants',
    );
    expectOneLineEach(rabbit.lines);
  });
});

describe('an object of the library that is printed by mistake', () => {
  it('a broker object shows no password to JSON', () => {
    const broker = new Broker({ url: NOWHERE, credentials: { username: 'a', password: SECRET } });
    expect(() => JSON.stringify(broker.status())).not.toThrow();
    expectNoSecret(JSON.stringify(broker.status()));
  });
});
