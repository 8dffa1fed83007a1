// An application that cannot start says why through its logger, in one readable error and without a password, before
// the process may end: a logger that writes JSON would never see what Node prints.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { Consume, RabbitModule, type LogFields, type RabbitModuleOptions } from '@warren/nestjs';
import { onEachBroker } from '../support/brokers.js';

const PASSWORD = 's3cret';

interface Line {
  readonly text: string;
  readonly fields: LogFields | undefined;
}

/** The errors in the log of an application that does not start. */
async function failing(
  options: RabbitModuleOptions,
  how: 'listen' | 'init' | 'context' | 'microservice',
  providers: ModuleMetadata['providers'] = [],
): Promise<Line[]> {
  const errors: Line[] = [];
  const logger = {
    log: () => undefined,
    warn: () => undefined,
    error: (text: string, fields?: LogFields) => void errors.push({ text, fields }),
  };
  @Module({ imports: [RabbitModule.forRoot({ service: 'fails', logger, ...options })], providers })
  class AppModule {}
  const silent = { logger: false, abortOnError: false } as const;
  if (how === 'context')
    await expect(NestFactory.createApplicationContext(AppModule, silent)).rejects.toThrow();
  else if (how === 'microservice') {
    const tcp = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } } as const;
    const app = await NestFactory.createMicroservice(AppModule, { ...tcp, ...silent });
    await expect(app.listen()).rejects.toThrow();
    await app.close();
  } else {
    const app = await NestFactory.create(AppModule, silent);
    await expect(how === 'init' ? app.init() : app.listen(0)).rejects.toThrow();
    await app.close();
  }
  return errors;
}

@Injectable()
class Priority {
  @Consume('made.before', { queueType: 'classic', maxPriority: 5 })
  take(): void {}
}

@Injectable()
class Wrong {
  @Consume('wrong', { prefetch: 5, concurrency: 50 })
  take(): void {}
}

describe('an application whose broker cannot be reached', () => {
  const given = process.env.NODE_ENV;
  afterEach(() => {
    process.env.NODE_ENV = given;
  });

  it.each([
    ['amqp://user:s3cret@127.0.0.1:1/', 'nothing listens on that port', 'listen'],
    ['amqp://user:s3cret@127.0.0.1:1/', "development: 'embedded'", 'init'],
    ['amqp://user:s3cret@broker.invalid/', /the host name does not resolve|DNS server/, 'context'],
    ['amqp://user:s3cret@127.0.0.1:1/', 'nothing listens on that port', 'microservice'],
  ] as const)('%s says that %s, by %s', async (url, hint, how) => {
    process.env.NODE_ENV = 'development';
    const errors = await failing({ url, startupTimeout: 300 }, how);
    expect(errors).toHaveLength(1);
    expect(errors[0].text).toMatch(/^the start failed: ConnectionRefusedError: cannot reach /);
    expect(errors[0].text).toEqual(
      typeof hint === 'string' ? expect.stringContaining(hint) : expect.stringMatching(hint),
    );
    expect(errors[0].fields).toMatchObject({
      ...{ event: 'start-failed', error: 'ConnectionRefusedError', errorCode: 'WARREN_CONNECTION_REFUSED' },
    });
    expect(JSON.stringify(errors)).not.toContain(PASSWORD);
  });
});

onEachBroker('an application that its broker refuses', (broker) => {
  const at = (change: (url: URL) => void): string => {
    const url = new URL(broker.url);
    change(url);
    return url.href;
  };

  it('says which of user, virtual host and TLS is wrong', async () => {
    const urls = [
      [at((url) => (url.password = PASSWORD)), /rejected the user name or password.*credentials/],
      [at((url) => (url.pathname = '/no-such-vhost')), /virtual host.*add_vhost/],
      [at((url) => (url.protocol = 'amqps:')), /TLS .* failed.*port 5671/],
    ] as const;
    for (const [url, text] of urls)
      for (const how of ['listen', 'microservice'] as const) {
        const errors = await failing({ url, startupTimeout: '5s' }, how);
        expect(errors.map((line) => line.text)).toEqual([expect.stringMatching(text)]);
        expect(JSON.stringify(errors)).not.toContain(PASSWORD);
      }
  });

  it('says which queue is there with other arguments, and which options cannot be', async () => {
    const connection = await broker.connect();
    const channel = await connection.createChannel();
    await channel.assertQueue('made.before', { durable: true });
    const [mismatch, ...more] = await failing({ url: broker.url }, 'init', [Priority]);
    expect(more).toEqual([]);
    expect(mismatch.text).toMatch(/TopologyMismatchError: queue 'made\.before' exists with x-max-priority/);
    const [wrong, ...others] = await failing({ url: broker.url }, 'listen', [Wrong]);
    expect(others).toEqual([]);
    expect(wrong.text).toMatch(/ConfigError: .*Wrong\.take.*concurrency 50 is above prefetch 5/);
  });
});
