// The one place where rights are checked, for every route. Requests of other sites see nothing and do nothing, whatever cookies
// their browser sends along.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, HttpException, Inject, Injectable } from '@nestjs/common';
import type { Right } from '../api/answers.js';
import { ACT_RIGHTS, Board, type Visitor } from '../board.js';
import { BoardError, errorAnswer } from '../errors.js';
import { type BoardRequest, type BoardSettings, RIGHTS } from '../options.js';
import { header, rawRequest } from './answering.js';

/** What a route is: the page and its files, something to look at, or an act. */
export type RouteKind = 'page' | 'look' | 'act';

/** Where the kind of a route stands, on its method. */
export const KIND = Symbol('kind of a route of the board');

const visitors = new WeakMap<object, Visitor>();

/** Whom the guard has let in. */
export function visitorOf(request: BoardRequest): Visitor {
  const visitor = visitors.get(request);
  if (!visitor) throw new BoardError('FORBIDDEN', 'nobody has checked this request');
  return visitor;
}

/** See above. */
@Injectable()
export class BoardGuard implements CanActivate {
  private readonly secret: string;

  constructor(@Inject(Board) private readonly board: Board) {
    this.secret = board.settings.secret ?? randomBytes(32).toString('base64');
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<BoardRequest>();
    const kind = Reflect.get(context.getHandler(), KIND) as RouteKind | undefined;
    try {
      // What has no kind is no route of the board.
      if (kind === undefined) throw new BoardError('NOT_FOUND', 'there is no such route');
      await this.check(request, kind);
      return true;
    } catch (error) {
      if (!(error instanceof BoardError)) this.board.failed('who may do what', error);
      const { status, body } = errorAnswer(error);
      throw new HttpException(body, status);
    }
  }

  private async check(request: BoardRequest, kind: RouteKind): Promise<void> {
    const { settings } = this.board;
    // Acts are checked below, and audited.
    if (kind === 'look') refuseOtherSites(request);
    if (kind !== 'act' && settings.open) refuseOtherMachines(request);
    const { who, rights } = await visitorFrom(request, settings);
    const token = this.token(who, rights);
    const visitor: Visitor = { who, rights, token };
    if (kind === 'act') this.checkAct(request, visitor);
    else if (!rights.includes('look'))
      throw new BoardError('FORBIDDEN', 'you may not look at this board', 'ask for the right look');
    visitors.set(request, visitor);
  }

  private checkAct(request: BoardRequest, visitor: Visitor): void {
    const { act } = request.params as { readonly act: string };
    const right = ACT_RIGHTS.get(act);
    if (right === undefined) throw new BoardError('NOT_FOUND', 'there is no such act');
    let isStranger = true;
    try {
      if (this.board.settings.open) refuseOtherMachines(request);
      isStranger = visitor.rights.length === 0;
      refuseOtherSites(request);
      if (!visitor.rights.includes(right))
        throw new BoardError('FORBIDDEN', `the act ${act} needs the right ${right}`, 'ask for it');
      if (!/^application\/json\s*(;|$)/i.test(header(request, 'content-type') ?? ''))
        throw new BoardError('CONTENT_TYPE', 'an act is sent as application/json');
      refuseOtherOrigins(request);
      if (!equal(header(request, 'x-warren-token') ?? '', visitor.token))
        throw new BoardError('FORBIDDEN', 'the token of this act is wrong', 'load the page again');
    } catch (error) {
      const { who } = visitor;
      const facts = { who, act, target: '', result: 'refused', text: (error as Error).message } as const;
      if (isStranger) this.board.audit.addOfStranger(facts);
      else this.board.audit.add(facts);
      throw error;
    }
  }

  /** Bound to who it is and what they may do: another user's token is of no use. */
  private token(who: string | undefined, rights: readonly Right[]): string {
    return createHmac('sha256', this.secret)
      .update(JSON.stringify([who ?? null, rights]))
      .digest('base64url');
  }
}

async function visitorFrom(
  request: BoardRequest,
  { access, rights }: BoardSettings,
): Promise<Pick<Visitor, 'who' | 'rights'>> {
  if (!access) return { who: undefined, rights: withLook(rights) };
  const given: unknown = await access(request);
  if (given === false || given === undefined || given === null) return { who: undefined, rights: [] };
  const list = Array.isArray(given) ? (given as unknown[]) : (given as { rights?: unknown }).rights;
  const { who } = given as { who?: unknown };
  return {
    who: typeof who === 'string' ? who.slice(0, 200) : undefined,
    rights: withLook(Array.isArray(list) ? (list as Right[]) : []),
  };
}

/** In one order, and with `look` unless there are none. */
function withLook(rights: readonly Right[]): readonly Right[] {
  const known = RIGHTS.filter((right) => rights.includes(right));
  return known.length === 0 || known.includes('look') ? known : ['look', ...known];
}

/** Browsers say where a request comes from, and no page can change what they say. */
function refuseOtherSites(request: BoardRequest): void {
  const site = header(request, 'sec-fetch-site');
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  throw new BoardError('FORBIDDEN', 'a page of another site asked for this');
}

/** For browsers that do not say it: the origin is the host that is asked. */
function refuseOtherOrigins(request: BoardRequest): void {
  if (header(request, 'sec-fetch-site') === 'same-origin') return;
  const origin = header(request, 'origin');
  if (origin === undefined) return;
  const host = URL.canParse(origin) ? new URL(origin).host : '';
  if (host === '' || host !== header(request, 'host'))
    throw new BoardError('FORBIDDEN', 'a page of another origin sent this act');
}

const LOCAL_ADDRESSES = /^(127\.|::1$|::ffff:127\.)/;
const LOCAL_HOSTS = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i;

/** The name of the host too: a page elsewhere can have its own name point here. */
function refuseOtherMachines(request: BoardRequest): void {
  const address = rawRequest(request).socket.remoteAddress ?? '';
  const isForwarded =
    header(request, 'x-forwarded-for') !== undefined || header(request, 'forwarded') !== undefined;
  const isLocal = LOCAL_ADDRESSES.test(address) && LOCAL_HOSTS.test(header(request, 'host') ?? '');
  if (isLocal && !isForwarded) return;
  throw new BoardError(
    'FORBIDDEN',
    'without guards or access, this board is for localhost only',
    'give BoardModule guards, or access: (request) => rights',
  );
}

function equal(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}
