// The routes: thin, since what a view shows is made in sources, and rights are checked in the guard. The same code answers on Express
// and Fastify.

import { Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { Board } from '../board.js';
import { errorAnswer, BoardError } from '../errors.js';
import type { BoardRequest } from '../options.js';
import { jsonBody, openStream, type PlatformResponse, rawRequest, send, sendJson } from './answering.js';
import { KIND, type RouteKind, visitorOf } from './board.guard.js';
import { PageFiles } from './page-files.js';

/** Says what a route is. */
const kind =
  (value: RouteKind): MethodDecorator =>
  (_target, _name, { value: method }) =>
    void Object.defineProperty(method, KIND, { value });

/** BoardModule makes a class of it with its path and guards. */
export class BoardController {
  constructor(
    @Inject(Board) private readonly board: Board,
    @Inject(PageFiles) private readonly files: PageFiles,
  ) {}

  @Get()
  @kind('page')
  page(@Req() request: BoardRequest, @Res() response: PlatformResponse): void {
    const page = this.files.page(rawRequest(request).url ?? '');
    if (page) return send(response, 200, 'text/html; charset=utf-8', page, 'no-cache');
    sendJson(response, ...notBuilt());
  }

  @Get('assets/:file')
  @kind('page')
  asset(@Param('file') name: string, @Res() response: PlatformResponse): void {
    const file = this.files.asset(name);
    if (file) return send(response, 200, file.type, file.content, 'public, max-age=31536000, immutable');
    this.refuse(response, new BoardError('NOT_FOUND', 'the page has no such file'));
  }

  @Get('api/session')
  @kind('look')
  session(@Req() request: BoardRequest, @Res() response: PlatformResponse): Promise<void> {
    return this.answer(response, () => this.board.session(visitorOf(request)));
  }

  @Get('api/live')
  @kind('look')
  live(@Res() response: PlatformResponse): void {
    try {
      this.board.live.open(() => openStream(response));
    } catch (error) {
      this.refuse(response, error);
    }
  }

  @Get('api/tail')
  @kind('look')
  tail(@Query() query: Record<string, unknown>, @Res() response: PlatformResponse): void {
    try {
      this.board.tail(query, () => openStream(response));
    } catch (error) {
      this.refuse(response, error);
    }
  }

  @Get('api/:view')
  @kind('look')
  view(
    @Param('view') view: string,
    @Query() query: Record<string, unknown>,
    @Res() response: PlatformResponse,
  ): Promise<void> {
    return this.answer(response, () => this.board.view(view, [], query));
  }

  @Get('api/:view/:id')
  @kind('look')
  part(
    @Param('view') view: string,
    @Param('id') id: string,
    @Query() query: Record<string, unknown>,
    @Res() response: PlatformResponse,
  ): Promise<void> {
    return this.answer(response, () => this.board.view(`${view}/:id`, [id], query));
  }

  @Get('api/dead-letters/:queue/letters/:key')
  @kind('look')
  letter(
    @Param('queue') queue: string,
    @Param('key') key: string,
    @Res() response: PlatformResponse,
  ): Promise<void> {
    return this.answer(response, () => this.board.view('dead-letters/:id/letters/:key', [queue, key], {}));
  }

  @Post('api/acts/:act')
  @kind('act')
  async act(
    @Param('act') act: string,
    @Req() request: BoardRequest,
    @Res() response: PlatformResponse,
  ): Promise<void> {
    await this.answer(response, async () => this.board.act(act, await jsonBody(request), visitorOf(request)));
  }

  private async answer(response: PlatformResponse, work: () => unknown): Promise<void> {
    try {
      sendJson(response, 200, await work());
    } catch (error) {
      this.refuse(response, error);
    }
  }

  private refuse(response: PlatformResponse, error: unknown): void {
    const { status, body } = errorAnswer(error);
    if (body.error.code === 'FAILED') this.board.failed('a request', error);
    sendJson(response, status, body);
  }
}

function notBuilt(): [number, unknown] {
  const error = new BoardError('NOT_BUILT', 'the page is not built', 'npm run build');
  const { status, body } = errorAnswer(error);
  return [status, body];
}
