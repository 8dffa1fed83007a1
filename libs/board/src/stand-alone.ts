// A board without an application, as `warren board` starts it: on this machine, for whoever has the address with its token.

import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RabbitModule } from '@warren/nestjs';
import type { Right } from './api/answers.js';
import { board, OPTIONS } from './board.module.js';
import type { BoardOptions } from './options.js';

/** Options of `startBoard`. */
export interface StandAloneOptions extends Pick<BoardOptions, 'management' | 'saveDropped'> {
  /** Broker and virtual host. Default: RABBITMQ_URL, else localhost. */
  readonly url?: string | undefined;
  /** Port on 127.0.0.1. Default: a free one. */
  readonly port?: number | undefined;
  /** What its visitor may do. Default `['look']`. */
  readonly rights?: readonly Right[] | undefined;
}

/** A running board. */
export interface RunningBoard {
  /** With a token that is good for one browser, once. */
  readonly address: string;
  /** Ends it. */
  close(): Promise<void>;
}

/** Starts a board for a broker. It needs `@nestjs/platform-express`. Rejects when the broker cannot be reached. */
export async function startBoard(options: StandAloneOptions = {}): Promise<RunningBoard> {
  const { url, port = 0, rights = ['look'], management, saveDropped } = options;
  const door = new OneTimeToken();
  const access: BoardOptions['access'] = ({ headers }) => door.knows(headers.cookie) && rights;
  const given: BoardOptions = { access, management, saveDropped };

  @Module({
    imports: [
      RabbitModule.forRoot({ url, service: 'warren-board' }),
      board({ path: '/' }, { provide: OPTIONS, useValue: given }, [], true),
    ],
  })
  class StandAloneBoard {}

  const app = await NestFactory.create(StandAloneBoard, {
    logger: ['error'],
    abortOnError: false,
    // The board reads bodies itself, up to a megabyte.
    bodyParser: false,
  });
  try {
    app.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
      if (!door.opens(request, response)) next();
    });
    await app.listen(port, '127.0.0.1');
  } catch (error) {
    await app.close();
    throw error;
  }
  const { port: found } = (app.getHttpServer() as { address(): { port: number } }).address();
  return { address: `http://127.0.0.1:${found}/?token=${door.token}`, close: () => app.close() };
}

/** Turns the token of the address into a cookie, once. */
class OneTimeToken {
  readonly token = randomBytes(24).toString('base64url');
  /** Its own: a browser gives the cookies of one port to all ports. */
  private readonly name = `warren-board-${randomBytes(6).toString('hex')}`;
  private readonly cookie = randomBytes(24).toString('base64url');
  private isUsed = false;

  /** True when it has answered. */
  opens({ url = '' }: IncomingMessage, response: ServerResponse): boolean {
    const given = new URL(url, 'http://127.0.0.1').searchParams.get('token');
    if (given === null || this.isUsed || !equal(given, this.token)) return false;
    this.isUsed = true;
    response.writeHead(302, {
      location: './',
      'set-cookie': `${this.name}=${this.cookie}; Path=/; HttpOnly; SameSite=Strict`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
    response.end();
    return true;
  }

  knows(cookies: unknown): boolean {
    const all = typeof cookies === 'string' ? cookies.split(/;\s*/) : [];
    const given = all.find((each) => each.startsWith(`${this.name}=`));
    return given !== undefined && equal(given, `${this.name}=${this.cookie}`);
  }
}

function equal(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}
