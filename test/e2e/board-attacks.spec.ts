// Attacks on the board: markup in messages, requests of other sites, paths that lead elsewhere, large bodies,
// rights that somebody does not have. On both HTTP platforms of Nest.
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ClientRequest, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { Consume, getBrokerToken, RabbitModule, type Broker, type StandardSchema } from '@warren/nestjs';
import { Injectable, type CanActivate, type ExecutionContext, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  BoardModule,
  type BoardAct,
  type BoardModuleOptions,
  type BoardRequest,
  type Right,
} from '@warren/board';
import type * as Api from '../../libs/board/src/api.js';
import { BoardClient, board } from '../support/board.js';
import { onEmbedded } from '../support/brokers.js';
import { until } from '../support/events.js';
import { apps } from '../support/nest.js';

const EVIL = `"><script>alert(1)</script><img src=x onerror=alert(2)>\u2028`;

@Injectable()
class Failing {
  @Consume('evil.<script>alert(0)</script>', { retry: false })
  fail(): void {
    throw new TypeError(EVIL);
  }
}

/** Rights as the request says: for tests only. */
const access = ({ headers }: BoardRequest): Right[] =>
  String(headers['x-test-rights'] ?? 'look')
    .split(',')
    .filter(Boolean) as Right[];

/** A schema whose issues quote what they are about, as those of some libraries do. */
const quoting: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => ({ issues: [{ message: `Received ${JSON.stringify(value)}` }] }),
  },
};

type Platform = 'Express' | 'Fastify';

onEmbedded('attacks on the board', (broker) => {
  const modules = (options: BoardModuleOptions) => [
    RabbitModule.forRoot({ url: broker.url, service: 'evil', queueType: 'classic' }),
    BoardModule.forRoot({ management: false, ...options }),
  ];

  async function start(
    platform: Platform = 'Express',
    options: BoardModuleOptions = { access },
    prepare: (app: INestApplication) => void = () => undefined,
  ): Promise<BoardClient> {
    const metadata = { imports: modules(options), providers: [Failing] };
    if (platform === 'Express') return board(metadata, prepare);
    class AppModule {}
    const module = { module: AppModule, ...metadata };
    const app = await NestFactory.create(module, new FastifyAdapter(), {
      logger: false,
      abortOnError: false,
    });
    apps.push(app);
    prepare(app);
    await app.listen(0, '127.0.0.1');
    return new BoardClient(app, `${await app.getUrl()}/warren/`);
  }

  const json = { 'content-type': 'application/json' };
  const publish = JSON.stringify({ exchange: 'events', routingKey: 'x', payload: 1 });

  async function tokenOf(client: BoardClient, rights: string): Promise<string> {
    return (await client.ask<Api.Session>('session', { headers: { 'x-test-rights': rights } })).body.token;
  }

  describe.each<Platform>(['Express', 'Fastify'])('on %s', (platform) => {
    it('answers with JSON that no browser takes for a page, whatever is in a message', async () => {
      const client = await start(platform);
      const rabbit = client.app.get<Broker>(getBrokerToken());
      await rabbit.send(
        'evil.<script>alert(0)</script>',
        { [EVIL]: EVIL },
        { messageId: 'evil', headers: { [EVIL.slice(0, 20)]: EVIL } },
      );
      const queue = encodeURIComponent('evil.<script>alert(0)</script>.dead');
      const list = await until(async () => {
        const { status, body } = await client.ask<Api.LettersAnswer>(`dead-letters/${queue}?fresh=1`);
        return status === 200 && body.total === 1 && body;
      }, 'the dead letter');
      expect(list.letters[0]).toMatchObject({ errorMessage: EVIL, queue: 'evil.<script>alert(0)</script>' });
      for (const path of [
        'handlers',
        'dead-letters',
        `dead-letters/${queue}`,
        `dead-letters/${queue}/letters/${list.letters[0].key}`,
        `journey/${encodeURIComponent('<img>')}`,
        'nothing',
      ]) {
        const { headers } = await client.ask(path);
        expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
        expect(headers.get('x-content-type-options')).toBe('nosniff');
        expect(headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self'/);
        expect(headers.get('cache-control')).toBe('no-store');
      }
      await (
        await (await broker.connect()).createChannel()
      ).purgeQueue('evil.<script>alert(0)</script>.dead');
    });

    it('does nothing for another site, without a token, or with a form', async () => {
      const client = await start(platform, { access }, (app) =>
        app.enableCors({ origin: true, credentials: true }),
      );
      const token = await tokenOf(client, 'edit');
      const good = { ...json, 'x-warren-token': token, 'x-test-rights': 'edit' };
      const send = async (headers: Record<string, string>, body = publish): Promise<string | number> => {
        const answer = await client.ask('acts/publish', { method: 'POST', headers, body });
        return answer.status === 200 ? 200 : `${answer.status} ${answer.body.error?.code ?? ''}`.trim();
      };
      expect(await send({ ...good, 'sec-fetch-site': 'same-origin' })).toBe(200);
      expect(await send({ ...good, origin: new URL(client.url).origin })).toBe(200);
      for (const site of ['cross-site', 'same-site'])
        expect(await send({ ...good, 'sec-fetch-site': site })).toBe('403 FORBIDDEN');
      expect(await send({ ...good, origin: 'http://evil.example' })).toBe('403 FORBIDDEN');
      expect(await send({ ...good, origin: 'null' })).toBe('403 FORBIDDEN');
      expect(await send({ ...good, 'x-warren-token': '' })).toBe('403 FORBIDDEN');
      // That of somebody with other rights.
      expect(await send({ ...good, 'x-warren-token': await tokenOf(client, 'look') })).toBe('403 FORBIDDEN');
      if (platform === 'Express')
        for (const type of [
          'application/x-www-form-urlencoded',
          'text/plain',
          'multipart/form-data; boundary=x',
        ])
          expect(await send({ ...good, 'content-type': type })).toBe('415 CONTENT_TYPE');
      // Nor does it tell another site anything, although the application allows that.
      const told = await client.ask('handlers', {
        headers: { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' },
      });
      expect([told.status, told.body.error.code]).toEqual([403, 'FORBIDDEN']);
      const { headers } = await client.ask('handlers', { headers: { origin: 'http://evil.example' } });
      if (platform === 'Express') expect(headers.get('access-control-allow-origin')).toBeNull();
    });

    it('lets each right do what it is for, and nothing else', async () => {
      const acts: BoardAct[] = [];
      const client = await start(platform, { access, onAct: (act) => acts.push(act) });
      const needs: Record<Api.ActName, Right | 'job'> = {
        'dead.replay': 'replay',
        'dead.edit': 'edit',
        'dead.drop': 'edit',
        'job.continue': 'job',
        'job.stop': 'job',
        'waiting.run-now': 'replay',
        publish: 'edit',
        call: 'edit',
        'handler.pause': 'control',
        'handler.resume': 'control',
        'handler.prefetch': 'control',
        'handler.concurrency': 'control',
        'handler.rate': 'control',
      };
      for (const rights of ['look', 'replay', 'edit', 'control', 'nonsense', '']) {
        const headers = { ...json, 'x-test-rights': rights, 'x-warren-token': '' };
        headers['x-warren-token'] = (await tokenOf(client, rights)) ?? '';
        const isKnown = rights !== 'nonsense' && rights !== '';
        expect((await client.ask('handlers', { headers })).status).toBe(isKnown ? 200 : 403);
        for (const [act, right] of Object.entries(needs)) {
          if (right === 'job') continue;
          const { status } = await client.ask(`acts/${act}`, { method: 'POST', headers, body: '{"x":1}' });
          expect([rights, act, status]).toEqual([rights, act, right === rights ? 400 : 403]);
        }
      }
      expect(acts.filter(({ result }) => result === 'refused').length).toBeGreaterThan(40);
      const { status } = await client.ask('acts/constructor', { method: 'POST', headers: json, body: '{}' });
      expect(status).toBe(404);
    });

    it('lets nobody push out of the history what was done', async () => {
      const acts: BoardAct[] = [];
      const client = await start(platform, { access, onAct: (act) => acts.push(act) });
      const live = await client.stream('live');
      await live.until('hello');
      const send = async (
        rights: string,
        token: string,
        more: Record<string, string> = {},
      ): Promise<number> => {
        const headers = { ...json, 'x-test-rights': rights, 'x-warren-token': token, ...more };
        return (await client.ask('acts/publish', { method: 'POST', headers, body: publish })).status;
      };
      const token = await tokenOf(client, 'edit');
      expect(await send('edit', token)).toBe(200);
      for (let n = 0; n < 550; n++) expect(await send('', '')).toBe(403);
      expect(acts.filter(({ result }) => result === 'refused').length).toBeLessThanOrEqual(100);
      for (let n = 0; n < 550; n++) expect(await send('look', '')).toBe(403);
      // A page of another site, in the browser of somebody who may.
      expect(await send('edit', token, { 'sec-fetch-site': 'cross-site' })).toBe(403);
      const history = await client.get<Api.HistoryAnswer>('history');
      expect(history.acts.map(({ act, result }) => `${act} ${result}`)).toEqual([
        ...Array.from({ length: 100 }, () => 'publish refused'),
        'publish done',
      ]);
      expect(history.acts[0].text).toBe('a page of another site asked for this');
      await live.until<Api.AuditRow>('audit', ({ text }) => text === history.acts[0].text);
      const told = live.all.filter(({ name }) => name === 'audit');
      expect(told).toHaveLength(552);
    });

    it('keeps no place for those who leave while guards are asked', async () => {
      let [asked, left] = [0, 0];
      let open: () => void = () => undefined;
      const opened = new Promise<void>((resolve) => (open = resolve));
      class Slow implements CanActivate {
        async canActivate(context: ExecutionContext): Promise<boolean> {
          const { socket } = context.switchToHttp().getRequest<{ socket: Socket }>();
          asked++;
          socket.once('close', () => left++);
          await opened;
          return true;
        }
      }
      const client = await start(platform, { access, guards: [Slow] });
      // Not fetch: it opens another connection for each that it breaks off, which Fastify waits for when it closes.
      const ask = (path: string, answered: (status: number) => void = () => undefined): ClientRequest => {
        const request = httpRequest(new URL(`api/${path}`, client.url), { agent: false }, (response) => {
          answered(response.statusCode ?? 0);
          request.destroy();
        });
        return request.on('error', () => undefined).end();
      };
      const paths = Array.from({ length: 70 }, (_, n) => (n < 50 ? 'live' : 'tail?exchange=events'));
      const requests = paths.map((path) => ask(path));
      await until(() => asked === 70, 'the guard to be asked');
      for (const request of requests) request.destroy();
      await until(() => left === 70, 'all to leave');
      open();
      for (const path of ['live', 'tail?exchange=events'])
        expect(await new Promise((answered) => ask(path, answered))).toBe(200);
    });

    it('gives no file but those of the page', async () => {
      const client = await start(platform);
      const { port } = new URL(client.url);
      const get = (path: string): Promise<number> =>
        new Promise((resolve, reject) => {
          // As it is: fetch would take the dots out.
          httpRequest({ host: '127.0.0.1', port, path }, (response) =>
            resolve((response.resume(), response.statusCode ?? 0)),
          )
            .on('error', reject)
            .end();
        });
      for (const name of [
        '..%2findex.html',
        '..%2f..%2fpackage.json',
        '%2e%2e%2f%2e%2e%2fpackage.json',
        '../../package.json',
        '..\\package.json',
        '%00',
        '__proto__',
        'constructor',
        `${'a/'.repeat(50)}b`,
      ])
        expect([name, (await get(`/warren/assets/${name}`)) >= 400]).toEqual([name, true]);
    });
  });

  it('reads no large body to its end', async () => {
    // Without a parser of the application; Nest's own refuses above 100 kB.
    const module = { module: class AppModule {}, imports: modules({ access }), providers: [Failing] };
    const app = await NestFactory.create(module, { logger: false, abortOnError: false, bodyParser: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const client = new BoardClient(app, `${await app.getUrl()}/warren/`.replace('[::1]', '127.0.0.1'));
    const token = await tokenOf(client, 'edit');
    const { port } = new URL(client.url);
    const headers = { ...json, 'x-warren-token': token, 'x-test-rights': 'edit' };
    const target = { host: '127.0.0.1', port, path: '/warren/api/acts/publish', method: 'POST', headers };
    let sent = 0;
    const status = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(target, (response) => {
        resolve(response.statusCode ?? 0);
        request.destroy();
      });
      request.on('error', reject);
      const part = Buffer.alloc(64 * 1024, 32);
      const more = (): void => {
        for (; sent < 50_000_000 && !request.destroyed; sent += part.length)
          if (!request.write(part)) return void request.once('drain', more);
      };
      more();
    });
    expect(status).toBe(413);
    expect(sent).toBeLessThan(25_000_000);
    const { status: small } = await client.ask('acts/publish', { method: 'POST', headers, body: publish });
    expect(small).toBe(200);
  });

  it('shows the beginning of a large message, and long texts cut', async () => {
    const client = await start();
    const channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertQueue('evil.many.dead', { durable: true });
    const small = Buffer.from('{"id":1}');
    const headers = {
      'x-warren-reason': 'rejected',
      'x-exception-type': 'E'.repeat(2_000),
      'x-warren-queue': 'evil.many',
    };
    channel.sendToQueue('evil.many.dead', Buffer.alloc(12_000_000, 'x'), { headers });
    for (let id = 0; id < 600; id++)
      channel.sendToQueue('evil.many.dead', small, { headers, messageId: `m-${id}` });
    await channel.waitForConfirms();
    const { body, status } = await client.ask<Api.LettersAnswer>('dead-letters/evil.many.dead?limit=500');
    expect(status).toBe(200);
    expect(body.reading).toMatchObject({ messages: 601, read: 601 });
    expect([body.letters.length, body.total, body.groups.length]).toEqual([500, 601, 2]);
    expect(JSON.stringify(body).length).toBeLessThan(1_000_000);
    const large = await client.get<Api.LetterAnswer>(
      `dead-letters/evil.many.dead/letters/${body.letters[0].key}`,
    );
    expect(large.body).toMatchObject({ bytes: 12_000_000, cut: true });
    expect(large.body.text.length).toBe(256 * 1024);
    expect(large.notEditable).toBe('it is too large');
    expect((await client.ask('dead-letters/evil.many.dead?limit=501')).status).toBe(400);
    // They are all where they were.
    await until(
      async () => (await channel.checkQueue('evil.many.dead')).messageCount === 601,
      'all messages to be back',
    );
    await channel.deleteQueue('evil.many.dead');
  });

  it('masks what redact says, everywhere', async () => {
    const redact = (): { payload: unknown; headers: Record<string, unknown> } => ({
      payload: { card: '***' },
      headers: {},
    });
    const client = await start('Express', { access, redact });
    const rabbit = client.app.get<Broker>(getBrokerToken());
    await rabbit.publish('card.used', {});
    const tail = await client.stream('tail?exchange=events');
    await tail.until('ready');
    await rabbit.publish('card.used', { card: '4711' }, { headers: { secret: '4711' } });
    await tail.until('message');
    await rabbit.send('evil.<script>alert(0)</script>', { card: '4711' }, { headers: { secret: '4711' } });
    const path = `dead-letters/${encodeURIComponent('evil.<script>alert(0)</script>.dead')}`;
    const list = await until(async () => {
      const { body } = await client.ask<Api.LettersAnswer>(`${path}?fresh=1`);
      return body.total === 1 && body;
    }, 'the dead letter');
    const letter = await client.get<Api.LetterAnswer>(`${path}/letters/${list.letters[0].key}`);
    expect(letter.body).toMatchObject({ text: '{\n  "card": "***"\n}', redacted: true });
    expect(JSON.stringify([tail.all, list, letter])).not.toContain('4711');
    // Nor can it be found out by searching.
    expect((await client.get<Api.LettersAnswer>(`${path}?text=4711`)).total).toBe(0);
    await (await (await broker.connect()).createChannel()).purgeQueue('evil.<script>alert(0)</script>.dead');
  });

  it('masks what a schema says, and names of a payload', async () => {
    const mail = 'ada@example.org';
    @Injectable()
    class Mails {
      @Consume('evil.mails', { retry: false, schema: quoting })
      send(): void {
        throw new TypeError('no');
      }
    }
    const redact = () => ({ payload: { by: '***' }, headers: {} });
    const imports = modules({ access, redact });
    const client = await board({ imports, providers: [Mails] });
    const channel = await (await broker.connect()).createConfirmChannel();
    const headers = {
      'x-warren-reason': 'rejected',
      'x-warren-queue': 'evil.mails',
      'x-warren-handler': 'Mails.send',
    };
    const content = Buffer.from(JSON.stringify({ [mail]: 1, by: mail }));
    channel.sendToQueue('evil.mails.dead', content, { headers, contentType: 'application/json' });
    await channel.waitForConfirms();
    const list = await client.get<Api.LettersAnswer>('dead-letters/evil.mails.dead');
    expect(list.groups).toMatchObject([{ shape: '{by: string}', count: 1 }]);
    const [{ key, group }] = list.letters;
    const letter = await client.get<Api.LetterAnswer>(`dead-letters/evil.mails.dead/letters/${key}`);
    expect(letter).toMatchObject({ issues: null, body: { redacted: true } });
    expect(JSON.stringify([list, letter])).not.toContain('example.org');
    // Not even as a hash that somebody could try names with.
    const other = await board({ imports: modules({ access, redact }), providers: [Mails] });
    const [row] = (await other.get<Api.LettersAnswer>('dead-letters/evil.mails.dead')).letters;
    expect([row.group, row.key === key]).toEqual([group, false]);
    await channel.deleteQueue('evil.mails.dead');
  });

  it('says what to grant when the broker lets it change no handler of another service', async () => {
    const user = 'warren-board-closed';
    await broker.manage('PUT', `/users/${user}`, { password: user, tags: '' });
    await broker.manage('PUT', `/permissions/${broker.vhostPath}/${user}`, {
      configure: '.*',
      read: '.*',
      write: '^(?!closed\\.fleet\\.control$)',
    });
    const service = (name: string, url: string) => [
      RabbitModule.forRoot({ url, service: name, queueType: 'classic', fleet: { control: true } }),
      BoardModule.forRoot({ management: false, access: () => ['look', 'control'] }),
    ];
    await board({ imports: service('closed', broker.url), providers: [Failing] });
    const url = new URL(broker.url);
    [url.username, url.password] = [user, user];
    const client = await board({ imports: service('other', url.href) });
    const { status, body } = await client.act('handler.pause', {
      handler: 'Failing.fail',
      everywhere: true,
      service: 'closed',
    });
    expect([status, body.error]).toEqual([
      502,
      {
        code: 'WARREN_ACCESS_REFUSED',
        message: "the broker refuses a change everywhere write access to exchange 'closed.fleet.control'",
        help: 'grant the user the write permission on it (rabbitmqctl set_permissions)',
        issues: [],
      },
    ]);
    const { acts } = await client.get<Api.HistoryAnswer>('history');
    expect(acts).toMatchObject([
      { act: 'handler.pause', target: 'closed Failing.fail', result: 'failed', text: body.error.message },
    ]);
    await broker.manage('DELETE', `/users/${user}`);
  });

  it('has bounds for those who read along, and lets an application close', async () => {
    const client = await start();
    const open = await Promise.all(Array.from({ length: 50 }, () => client.stream('live')));
    expect((await client.ask('live')).status).toBe(429);
    await Promise.all(open.map((each) => each.until('hello')));
    await client.app.close();
  });

  describe('without guards and access', () => {
    const before = process.env.NODE_ENV;
    afterEach(() => void (process.env.NODE_ENV = before));

    it('does not start in production', async () => {
      process.env.NODE_ENV = 'production';
      expect(() => BoardModule.forRoot()).toThrow('open to everybody');
      const imports = [
        RabbitModule.forRoot({ url: broker.url, service: 'evil' }),
        BoardModule.forRootAsync({ useFactory: () => ({}) }),
      ];
      await expect(board({ imports })).rejects.toThrow('open to everybody');
    });

    it('is read-only and for this machine only', async () => {
      const client = await start('Express', {});
      const session = await client.get<Api.Session>('session');
      expect([session.rights, session.acts]).toEqual([['look'], []]);
      expect((await client.ask('session', { headers: { 'x-forwarded-for': '10.0.0.1' } })).status).toBe(403);
      const { port } = new URL(client.url);
      const rebound = await new Promise<number>((resolve) => {
        const headers = { host: 'evil.example' };
        httpRequest({ host: '127.0.0.1', port, path: '/warren/api/session', headers }, (response) =>
          resolve((response.resume(), response.statusCode ?? 0)),
        ).end();
      });
      expect(rebound).toBe(403);
    });

    it('asks guards first, and stays below the prefix of the application', async () => {
      class Badge implements CanActivate {
        canActivate(context: ExecutionContext): boolean {
          return context.switchToHttp().getRequest<BoardRequest>().headers['x-badge'] === 'yes';
        }
      }
      process.env.NODE_ENV = 'production';
      const imports = modules({ guards: [Badge], path: 'ops/board' });
      const client = await board({ imports }, (app) => void app.setGlobalPrefix('v1'), 'v1/ops/board/');
      expect((await client.ask('session')).status).toBe(403);
      const { body } = await client.ask<Api.Session>('session', { headers: { 'x-badge': 'yes' } });
      expect(body.rights).toEqual(['look']);
    });
  });
});
