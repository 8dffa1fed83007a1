// Acts of the board with large bodies: the parser of the application comes first, and can be told to take them, as docs/board.md
// says.
import { expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { BoardModule, type Right } from '@warren/board';
import { RabbitModule } from '@warren/nestjs';
import { BoardClient } from '../support/board.js';
import { onEmbedded } from '../support/brokers.js';
import { apps } from '../support/nest.js';

const [ABOVE_EXPRESS, ABOVE_FASTIFY] = [200_000, 1_200_000];

onEmbedded('large acts of the board', (broker) => {
  const rights: Right[] = ['look', 'edit'];
  const module = () => ({
    module: class AppModule {},
    imports: [
      RabbitModule.forRoot({ url: broker.url, service: 'large', queueType: 'classic' }),
      BoardModule.forRoot({ management: false, access: () => rights }),
    ],
  });
  const options = { logger: false, abortOnError: false } as const;

  async function publish(app: INestApplication, bytes: number): Promise<number> {
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const client = new BoardClient(app, `${(await app.getUrl()).replace('[::1]', '127.0.0.1')}/warren/`);
    const request = { exchange: 'events', routingKey: 'large', payload: 'x'.repeat(bytes) };
    return (await client.act('publish', request)).status;
  }

  it.each([
    ['as it is', 413, (): void => undefined],
    [
      'with a larger limit',
      200,
      (app: NestExpressApplication) => void app.useBodyParser('json', { limit: '2mb' }),
    ],
  ])('on Express, %s: %i', async (_, status, prepare) => {
    const app = await NestFactory.create<NestExpressApplication>(module(), options);
    prepare(app);
    expect(await publish(app, ABOVE_EXPRESS)).toBe(status);
  });

  it.each([
    ['as it is', 413, () => new FastifyAdapter()],
    ['with a larger limit', 200, () => new FastifyAdapter({ bodyLimit: 2_097_152 })],
  ])('on Fastify, %s: %i', async (_, status, adapter) => {
    const app = await NestFactory.create(module(), adapter(), options);
    expect(await publish(app, ABOVE_FASTIFY)).toBe(status);
  });
});
