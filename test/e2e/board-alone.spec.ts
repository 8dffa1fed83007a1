// `warren board`: a board without an application.
import { expect, it } from '@jest/globals';
import { startBoard } from '@warren/board';
import { runBoard } from '../../libs/nestjs/src/cli/board.js';
import type * as Api from '../../libs/board/src/api.js';
import { onEmbedded } from '../support/brokers.js';
import { warren } from '../support/warren.js';

onEmbedded('warren board', (broker) => {
  it('shows what the fleet tells, to the browser that has its address, once', async () => {
    await warren(broker.url, { service: 'alone.shop', fleet: true })
      .consume('alone.orders', () => undefined)
      .open();
    const lines: string[] = [];
    const ending = new AbortController();
    let printed: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => (printed = resolve));
    const terminal = {
      environment: { RABBITMQ_URL: broker.url },
      out: (line: string) => void (lines.push(line), printed()),
      err: (line: string) => void lines.push(line),
      signal: ending.signal,
    };
    const running = runBoard(['--rights', 'look,replay'], terminal as never, () =>
      Promise.resolve({ startBoard } as never),
    );
    await Promise.race([ready, running]);
    const address = /http:\S+/.exec(lines[0] ?? '')?.[0] ?? '';
    const api = (path: string, cookie = ''): Promise<Response> =>
      fetch(new URL(path, address), { headers: { cookie } });
    expect((await api('/api/session')).status).toBe(403);
    const opened = await fetch(address, { redirect: 'manual' });
    const [cookie = ''] = (opened.headers.get('set-cookie') ?? '').split(';');
    expect(opened.status).toBe(302);
    expect(opened.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Strict/);
    expect((await fetch(address, { redirect: 'manual' })).headers.get('set-cookie')).toBeNull();
    const session = (await (await api('/api/session', cookie)).json()) as Api.Session;
    expect(session).toMatchObject({ standAlone: true, service: 'warren-board', rights: ['look', 'replay'] });
    const { handlers } = (await (await api('/api/handlers', cookie)).json()) as Api.HandlersAnswer;
    expect(handlers.map(({ id, service, figures }) => [id, service, figures])).toEqual([
      ['alone.orders', 'alone.shop', null],
    ]);
    ending.abort();
    expect(await running).toBe(130);
  });

  it('is open twice in one browser', async () => {
    const boards = [await startBoard({ url: broker.url }), await startBoard({ url: broker.url })];
    // A browser gives the cookies of one port to all of them.
    const jar = new Map<string, string>();
    for (const { address } of boards) {
      const opened = await fetch(address, { redirect: 'manual' });
      const [, name = '', value = ''] = /^([^=]+)=([^;]+)/.exec(opened.headers.get('set-cookie') ?? '') ?? [];
      jar.set(name, value);
    }
    const cookie = [...jar].map((each) => each.join('=')).join('; ');
    for (const { address } of boards)
      expect((await fetch(new URL('/api/session', address), { headers: { cookie } })).status).toBe(200);
    await Promise.all(boards.map((each) => each.close()));
  });

  it('takes acts as large as the page promises', async () => {
    const board = await startBoard({ url: broker.url, rights: ['look', 'edit'] });
    const opened = await fetch(board.address, { redirect: 'manual' });
    const [cookie = ''] = (opened.headers.get('set-cookie') ?? '').split(';');
    const session = await fetch(new URL('/api/session', board.address), { headers: { cookie } });
    const { token } = (await session.json()) as Api.Session;
    const body = JSON.stringify({ exchange: 'amq.topic', routingKey: 'large', payload: 'x'.repeat(900_000) });
    const headers = { cookie, 'content-type': 'application/json', 'x-warren-token': token };
    const act = { method: 'POST', headers, body };
    const { status } = await fetch(new URL('/api/acts/publish', board.address), act);
    await board.close();
    expect(status).toBe(200);
  });
});
