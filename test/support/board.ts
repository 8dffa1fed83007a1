// A Nest application with a board, and a client of its API as the page is one.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from '@jest/globals';
import { type INestApplication, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ActName, Acts, ErrorAnswer, Session } from '../../libs/board/src/api.js';
import type { TestBroker } from './brokers.js';
import { until } from './events.js';
import { apps } from './nest.js';

/** An answer of any status. */
export interface BoardAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T & ErrorAnswer;
}

/** See above. */
export class BoardClient {
  constructor(
    readonly app: INestApplication,
    /** With a slash at its end. */
    readonly url: string,
  ) {}

  /** The answer of a view. Throws for an error. */
  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.ask<T>(path);
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async ask<T>(path: string, init: RequestInit = {}): Promise<BoardAnswer<T>> {
    const response = await fetch(new URL(`api/${path}`, this.url), init);
    const body = (await response.json()) as T & ErrorAnswer;
    return { status: response.status, headers: response.headers, body };
  }

  /** Does something, with the token of a session. */
  async act<Name extends ActName>(
    name: Name,
    request: Acts[Name]['request'],
  ): Promise<BoardAnswer<Acts[Name]['answer']>> {
    const { token } = await this.get<Session>('session');
    const headers = { 'content-type': 'application/json', 'x-warren-token': token };
    return this.ask(`acts/${name}`, { method: 'POST', headers, body: JSON.stringify(request) });
  }

  /** Reads server-sent events; ended after the test. */
  async stream(path: string): Promise<Events> {
    const controller = new AbortController();
    streams.push(controller);
    const response = await fetch(new URL(`api/${path}`, this.url), { signal: controller.signal });
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return new Events(response);
  }
}

const streams: AbortController[] = [];

/** Server-sent events as they come. */
export class Events {
  readonly all: { readonly name: string; readonly data: unknown }[] = [];

  constructor(readonly response: Response) {
    void this.read().catch(() => undefined);
  }

  /** The first of this name that is wanted, which may have come before. */
  until<T>(name: string, wanted: (data: T) => boolean = () => true): Promise<T> {
    const found = (): T | undefined =>
      this.all.find((each) => each.name === name && wanted(each.data as T))?.data as T | undefined;
    return until(() => found() as T & object, `the event ${name}`);
  }

  private async read(): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const part of this.response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
        text = text.slice(end + 2);
        if (name !== undefined && data !== undefined)
          this.all.push({ name, data: JSON.parse(data) as unknown });
      }
    }
  }
}

/** Starts an application. It is closed after the test. */
export async function board(
  metadata: ModuleMetadata,
  prepare: (app: INestApplication) => void = () => undefined,
  path = 'warren/',
): Promise<BoardClient> {
  @Module(metadata)
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  prepare(app);
  await app.listen(0, '127.0.0.1');
  return new BoardClient(app, `${(await app.getUrl()).replace('[::1]', '127.0.0.1')}/${path}`);
}

/** A management API of the vhost of a test, as an administrator has it. Closed after the test. */
export async function managementOf(broker: TestBroker): Promise<string> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/api/, '').replace(/\/%2F$|\/[^/]+$/, `/${broker.vhostPath}`);
    broker.http('GET', path as `/${string}`).then(
      ({ status, body }) => response.writeHead(status).end(JSON.stringify(body)),
      (error: Error) => response.writeHead(500).end(JSON.stringify(error.message)),
    );
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://guest:guest@127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const servers: Server[] = [];
afterEach(() => {
  for (const stream of streams.splice(0)) stream.abort();
  for (const server of servers.splice(0)) server.close();
});
