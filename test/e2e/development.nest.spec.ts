// The option `development`: a broker of the application's own when nothing says where another one is. On Nest 12 and (in
// the project nest11) on Nest 11. Ports are free ones, since others may use 5672.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EmbeddedBroker } from '@warren/embedded';
import { Consume, Publisher, RabbitModule, type RabbitModuleOptions } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { Collector, until } from '../support/events.js';
import { start } from '../support/nest.js';

/** A logger that collects its lines. */
class Lines {
  readonly all: string[] = [];
  readonly log = (line: string): void => void this.all.push(line);
  readonly debug = (line: string): void => void this.all.push(`debug ${line}`);
  warn(): void {}
  error(): void {}

  /** Those about the broker for development. */
  get own(): string[] {
    return this.all.filter((line) => /RABBITMQ_URL|development/.test(line));
  }
}

const got = new Collector<unknown>();

@Injectable()
class Orders {
  @Consume('orders')
  place(@Payload() order: unknown): void {
    got.push(order);
  }
}

const given = { url: process.env.RABBITMQ_URL, mode: process.env.NODE_ENV };
let port: number;

beforeEach(async () => {
  delete process.env.RABBITMQ_URL;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  server.close();
  await once(server, 'close');
});

afterEach(() => {
  if (given.url !== undefined) process.env.RABBITMQ_URL = given.url;
  process.env.NODE_ENV = given.mode;
});

/** An application with the option, and what it logs. */
async function started(
  options: RabbitModuleOptions = {},
): Promise<{ app: INestApplicationContext; lines: Lines }> {
  const lines = new Lines();
  const all = { service: 'shop', logger: lines as never, development: { embedded: { port } }, ...options };
  const app = await start({ imports: [RabbitModule.forRoot(all)], providers: [Orders] });
  return { app, lines };
}

const isOpen = (): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

describe("given development: 'embedded'", () => {
  it('starts a broker, says where, and frees its port at shutdown, again and again', async () => {
    for (let round = 0; round < 2; round++) {
      const { app, lines } = await started();
      await app.get(Publisher).send('orders', { round });
      expect(await got.take(1)).toEqual([{ round }]);
      expect(lines.own).toEqual([
        `no url and no RABBITMQ_URL: started the embedded broker, amqp://guest:guest@127.0.0.1:${port}`,
      ]);

      await app.close();
      expect(await isOpen()).toBe(false);
      // Its connections were closed before it.
      expect(lines.all.filter((line) => /lost/.test(line))).toEqual([]);
    }
  });

  it('works with forRootAsync, and one broker serves all connections of a process', async () => {
    const options = { service: 'shop', development: { embedded: { port } }, logger: new Lines() as never };
    const app = await start({
      imports: [
        RabbitModule.forRootAsync({ useFactory: async () => options }),
        RabbitModule.forRoot('second', options),
      ],
      providers: [Orders],
    });
    await app.get<Publisher>('warren:publisher:second').send('orders', 'from the second');
    expect(await got.take(1)).toEqual(['from the second']);
    await app.close();
    expect(await isOpen()).toBe(false);
  });

  it('uses the broker that is there already, and starts one when that has ended', async () => {
    const other = await EmbeddedBroker.start({ port });
    const { app, lines } = await started({ reconnect: { min: '10ms', max: '50ms' } });
    await app.get(Publisher).send('orders', 1);
    expect(await got.take(1)).toEqual([1]);

    await other.close();
    await until(() => lines.own.length > 1, 'its own broker');
    await app.get(Publisher).send('orders', 2);
    expect(await got.take(1)).toEqual([2]);
    expect(lines.own).toEqual([
      `no url and no RABBITMQ_URL: uses the broker that was there, amqp://guest:guest@localhost:${port}`,
      `no url and no RABBITMQ_URL: started the embedded broker, amqp://guest:guest@127.0.0.1:${port}`,
    ]);
  });

  it('does not take a port of the management API that is in use for a broker', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: management } = server.address() as AddressInfo;
    const lines = new Lines();
    const options = { logger: lines as never, startupTimeout: '300ms' } as const;
    const wrong = started({ ...options, development: { embedded: { port, management } } });
    await expect(wrong).rejects.toThrow(new RegExp(`EADDRINUSE.*:${management}`));
    expect(lines.own.filter((line) => line.includes('was there'))).toEqual([]);
    server.close();
  });

  it.each(['url', 'RABBITMQ_URL'])(
    'starts nothing when there is %s, and says so at debug level',
    async (by) => {
      const other = await EmbeddedBroker.start();
      if (by === 'RABBITMQ_URL') process.env.RABBITMQ_URL = other.url;
      process.env.NODE_ENV = 'production';
      const { app, lines } = await started(by === 'url' ? { url: other.url } : {});
      expect(await isOpen()).toBe(false);
      expect(lines.own).toEqual([expect.stringMatching(`^debug ${by} is .*: no broker is started`)]);
      await app.close();
      await other.close();
    },
  );

  it('is an error in production', async () => {
    process.env.NODE_ENV = 'production';
    await expect(started()).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/starts no broker when NODE_ENV is production.*set RABBITMQ_URL/),
    });
  });

  it.each([
    ['embeded', "'development' is"],
    [{ embedded: { prot: 1 } }, "unknown option 'prot'"],
    [{ embedded: { port: 0 } }, "port of 'development' is 0"],
  ])('is an error as %j', async (development, message) => {
    const wrong = started({ development: development as never });
    await expect(wrong).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining(message),
    });
  });

  it('leaves a test its own broker', async () => {
    const development = { embedded: { port } };
    const imports = [RabbitModule.forRoot({ service: 'shop', development })];
    const rabbit = await RabbitTesting.start({ imports, providers: [Orders] });
    expect(await isOpen()).toBe(false);
    await rabbit.stop();
  });

  it('names the command when @warren/embedded is not installed', async () => {
    const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
    jest.resetModules();
    jest.unstable_mockModule('@warren/embedded', () => {
      throw missing;
    });
    const { DevelopmentBroker } = await import('../../libs/nestjs/src/runtime/development-broker.js');
    await expect(DevelopmentBroker.prepare('embedded', new Lines())).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('npm install --save-dev @warren/embedded'),
    });
  });
});
