// The board in an application: its views over HTTP, on the versions of Nest that there are.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Injectable, type ModuleMetadata } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type * as Api from '../../libs/board/src/api.js';
import { BoardModule, type BoardModuleOptions } from '@warren/board';
import {
  Consume,
  getBrokerToken,
  journal,
  RabbitContext,
  RabbitModule,
  RpcHandler,
  Subscribe,
  type Broker,
} from '@warren/nestjs';
import { z } from 'zod';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { board, type BoardClient, managementOf } from '../support/board.js';

const Order = z.object({ id: z.number(), sku: z.string().min(1) });

class BankAway extends Error {}

const answering = new Set<() => void>();

@Injectable()
class Orders {
  static bank = false;

  @Subscribe('order.created', { queue: 'b.orders', schema: Order, retry: false })
  place(@Payload() order: { id: number }): void {
    if (order.id < 0 && !Orders.bank) throw new BankAway('the bank answers 503');
    if (order.id > 1_000) throw new TypeError('too large');
  }

  @Consume('b.slow', { retry: { attempts: 3, delays: ['2m'], jitter: false } })
  slow(@Ctx() context: RabbitContext): void {
    if (context.attempt === 1) throw new Error('not yet');
  }

  @RpcHandler('b.price')
  price(@Payload() wait: boolean): Promise<number> | number {
    return wait ? new Promise((resolve) => answering.add(() => resolve(7))) : 7;
  }
}

onEachBroker('the board', (broker) => {
  const all: BoardModuleOptions = {
    access: () => ({ who: 'ada', rights: ['look', 'replay', 'edit', 'control'] }),
  };

  async function start(options: BoardModuleOptions = all, more: ModuleMetadata = {}): Promise<BoardClient> {
    Orders.bank = false;
    return board({
      imports: [
        RabbitModule.forRoot({
          url: broker.url,
          service: 'b.shop',
          queueType: 'classic',
          fleet: true,
          plugins: [journal()],
        }),
        BoardModule.forRoot(options),
      ],
      providers: [Orders],
      ...more,
    });
  }

  it('shows handlers with their figures, and services', async () => {
    const client = await start();
    const rabbit = client.app.get<Broker>(getBrokerToken());
    await rabbit.publish('order.created', { id: 1, sku: 'a' });
    await rabbit.publish('order.created', { id: -1, sku: 'a' });
    const handlers = await until(async () => {
      const answer = await client.get<Api.HandlersAnswer>('handlers');
      const row = answer.handlers.find(({ id }) => id === 'Orders.place');
      return row?.figures?.verdicts.deadLetter === 1 && row.figures.verdicts.ack === 1 && answer;
    }, 'two verdicts');
    const row = handlers.handlers.find(({ id }) => id === 'Orders.place');
    expect(row).toMatchObject({
      service: 'b.shop',
      kind: 'subscribe',
      queue: 'b.orders',
      patterns: ['order.created'],
      deadQueue: 'b.orders.dead',
      schema: true,
      instances: [expect.objectContaining({ here: true, ready: true })],
    });
    expect(row?.figures?.errors).toMatchObject([
      { error: 'BankAway', count: 1, message: 'the bank answers 503' },
    ]);
    // Whole milliseconds: 0 on a quick machine.
    expect(row?.figures?.lastMinute.took?.p95).toBeGreaterThanOrEqual(0);
    const { history } = row!.figures!;
    expect(history.handled.reduce((sum, each) => sum + each, 0)).toBe(2);
    const services = await client.get<Api.ServicesAnswer>('services');
    expect(services.services).toMatchObject([
      { service: 'b.shop', instances: [{ here: true, state: 'running' }] },
    ]);
    expect(services.services[0]?.instances[0]?.info?.handlers).toContain('Orders.place');
  });

  it('groups, searches, edits, replays and drops dead letters', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'warren-board-'));
    const client = await start({ ...all, saveDropped: folder, management: false });
    const rabbit = client.app.get<Broker>(getBrokerToken());
    const channel = await (await broker.connect()).createChannel();
    await channel.purgeQueue('b.orders.dead');
    const publish = (payload: object): Promise<unknown> => rabbit.publish('order.created', payload);
    for (let id = 1; id <= 6; id++) await publish({ id: -id, sku: 'card' });
    await publish({ id: 2_000, sku: 'gigantic' });
    await publish({ id: 'x', sku: '' });
    await until(
      async () => (await channel.checkQueue('b.orders.dead')).messageCount === 8,
      'eight dead letters',
    );

    const queues = await client.get<Api.DeadQueuesAnswer>('dead-letters');
    expect(queues.queues.find(({ queue }) => queue === 'b.orders.dead')).toMatchObject({
      of: 'b.orders',
      messages: 8,
      reading: null,
      handlers: ['b.shop Orders.place'],
    });
    expect(queues.unknown).toMatchObject([{ why: 'management' }]);
    const list = await client.get<Api.LettersAnswer>('dead-letters/b.orders.dead?limit=3');
    expect(list).toMatchObject({ total: 8, offset: 0, reading: { messages: 8, read: 8 } });
    expect(list.letters).toHaveLength(3);
    expect(list.groups.map(({ error, count, shape }) => [error, count, shape])).toEqual(
      expect.arrayContaining([
        ['BankAway', 6, '{id: number, sku: string}'],
        ['TypeError', 1, '{id: number, sku: string}'],
        ['DecodeError', 1, '{id: string, sku: string}'],
      ]),
    );
    const found = await client.get<Api.LettersAnswer>('dead-letters/b.orders.dead?text=GIGANTIC');
    expect(found.letters.map(({ error }) => error)).toEqual(['TypeError']);

    // One with a body that does not fit.
    const odd = list.groups.find(({ error }) => error === 'DecodeError')!;
    const [letter] = (await client.get<Api.LettersAnswer>(`dead-letters/b.orders.dead?group=${odd.key}`))
      .letters;
    const shown = await client.get<Api.LetterAnswer>(`dead-letters/b.orders.dead/letters/${letter.key}`);
    expect(shown.body).toMatchObject({ kind: 'json', text: '{\n  "id": "x",\n  "sku": ""\n}', cut: false });
    expect(shown.issues?.map(({ path }) => path)).toEqual(['id', 'sku']);
    expect(shown.notEditable).toBeNull();
    const edit = { queue: 'b.orders.dead', key: letter.key };
    const wrong = await client.act('dead.edit', { ...edit, body: '{"id": "y", "sku": "a"}' });
    expect([wrong.status, wrong.body.error.code]).toEqual([422, 'DOES_NOT_FIT']);
    expect(wrong.body.error.issues).toMatchObject([{ path: 'id' }]);
    const edited = await client.act('dead.edit', { ...edit, body: '{"id": 5, "sku": "a"}' });
    expect(edited.body.job).toMatchObject({ state: 'done', done: 1, to: 'b.orders', who: 'ada' });
    await until(
      async () => (await client.get<Api.JobsAnswer>('jobs')).jobs[0]?.outcome?.ack === 1,
      'its success',
    );
    expect((await client.act('dead.edit', { ...edit, body: '{"id": 5, "sku": "a"}' })).status).toBe(409);

    // A group: the first two, and then the rest.
    const bank = list.groups.find(({ error }) => error === 'BankAway')!;
    const select = { group: bank.key };
    Orders.bank = true;
    const begun = await client.act('dead.replay', { queue: 'b.orders.dead', select, first: 2, rate: 50 });
    const { id } = begun.body.job;
    const job = (wanted: (job: Api.Job) => boolean): Promise<Api.Job> =>
      until(
        async () =>
          (await client.get<Api.JobsAnswer>('jobs')).jobs.find((each) => each.id === id && wanted(each)),
        'the job',
      );
    expect(await job(({ state, outcome }) => state === 'waiting' && outcome?.ack === 2)).toMatchObject({
      done: 2,
    });
    expect((await client.act('dead.drop', { queue: 'b.orders.dead', select, save: 'none' })).status).toBe(
      429,
    );
    await client.act('job.continue', { job: id });
    expect(await job(({ endedAt, outcome }) => endedAt !== null && outcome?.ack === 6)).toMatchObject({
      state: 'done',
      done: 6,
      rate: 50,
    });

    // What is left is dropped, and saved before.
    const drop = await client.act('dead.drop', {
      queue: 'b.orders.dead',
      select: { all: true },
      save: 'server',
    });
    const dropped = await until(
      async () =>
        (await client.get<Api.JobsAnswer>('jobs')).jobs.find(
          (each) => each.id === drop.body.job.id && each.endedAt !== null,
        ),
      'the drop',
    );
    expect(dropped).toMatchObject({ state: 'done', done: 1 });
    const [line] = (await readFile(join(folder, dropped.file!), 'utf8')).trim().split('\n');
    expect(JSON.parse(line)).toMatchObject({ error: 'TypeError', body: '{"id":2000,"sku":"gigantic"}' });
    const { acts } = await client.get<Api.HistoryAnswer>('history');
    expect(acts.map(({ act, who, result }) => [act, who, result])).toEqual([
      ['dead.drop', 'ada', 'done'],
      ['dead.drop', 'ada', 'started'],
      ['dead.replay', 'ada', 'done'],
      ['job.continue', 'ada', 'done'],
      ['dead.drop', 'ada', 'failed'],
      ['dead.replay', 'ada', 'started'],
      ['dead.edit', 'ada', 'failed'],
      ['dead.edit', 'ada', 'done'],
      ['dead.edit', 'ada', 'failed'],
    ]);
    await rm(folder, { recursive: true, force: true });
  });

  it('shows what waits, who waits for whom, what happened, and how the topology is', async () => {
    const client = await start({ ...all, management: await managementOf(broker) });
    const rabbit = client.app.get<Broker>(getBrokerToken());
    await rabbit.send('b.slow', {}, { messageId: 'b-slow' });
    const call = rabbit.request('b.price', true, { timeout: '25s' });
    const waiting = await until(async () => {
      const answer = await client.get<Api.WaitingAnswer>('waiting');
      return answer.messages.length === 1 && answer;
    }, 'a retry');
    expect(waiting.messages).toMatchObject([
      { id: 'b-slow', kind: 'retry', routingKey: 'b.slow', attempt: 2, instance: { service: 'b.shop' } },
    ]);
    expect(waiting.queues.map(({ queue, kind, step }) => [queue, kind, step])).toContainEqual([
      'b.shop.retry.120000',
      'retry',
      120_000,
    ]);
    const { calls } = await client.get<Api.CallsAnswer>('calls');
    expect(calls).toMatchObject([
      { kind: 'request', pattern: 'b.price', to: ['b.shop'], from: { service: 'b.shop' } },
    ]);
    for (const answer of answering) answer();
    await call;
    const journey = await client.get<Api.JourneyAnswer>('journey/b-slow');
    expect(
      journey.messages[0]?.steps.map(({ what, attempt, sent }) => [what, attempt?.verdict ?? sent?.kind]),
    ).toEqual([
      ['sent', 'send'],
      ['attempt', 'retry'],
      ['sent', 'retry'],
    ]);
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('b.left', { durable: true });
    await channel.bindQueue('b.orders', 'events', 'order.old');
    const topology = await until(async () => {
      const answer = await client.get<Api.TopologyAnswer>('topology');
      return answer.queues.some(({ name }) => name === 'b.left') && answer;
    }, 'the queue of another program');
    expect(topology.compared).toBe(true);
    const queue = (name: string): Api.QueueNode | undefined =>
      topology.queues.find((each) => each.name === name);
    expect(queue('b.left')).toMatchObject({ orphan: true, declaredBy: [], exists: true, purpose: 'other' });
    expect(queue('b.orders')).toMatchObject({
      orphan: false,
      exists: true,
      drift: [],
      handlers: ['b.shop Orders.place'],
    });
    expect(topology.queues.flatMap(({ drift }) => drift)).toEqual([]);
    expect(topology.exchanges.flatMap(({ drift }) => drift)).toEqual([]);
    const edges = topology.bindings.filter(({ destination }) => destination === 'b.orders');
    expect(edges).toContainEqual(
      expect.objectContaining({ key: 'order.created', declared: true, exists: true, orphan: false }),
    );
    expect(edges).toContainEqual(
      expect.objectContaining({ key: 'order.old', declared: false, orphan: true }),
    );
    await channel.unbindQueue('b.orders', 'events', 'order.old');

    const [{ queue: waitQueue, key }] = waiting.messages;
    const runNow = () => client.act('waiting.run-now', { queue: waitQueue, key: key! });
    expect((await runNow()).body).toEqual({ forwarded: true });
    const again = await runNow();
    expect([again.status, again.body.error.code]).toEqual([409, 'STALE']);
    const { acts } = await client.get<Api.HistoryAnswer>('history');
    expect(acts.map(({ result, text }) => [result, text])).toEqual([
      ['failed', 'this process does not hold this message any more'],
      ['done', 'message b-slow, forwarded'],
    ]);
    const left = async () => (await client.get<Api.WaitingAnswer>('waiting')).messages.length;
    await until(async () => (await left()) === 0, 'the end of its wait');
  });

  it('publishes and calls, reads along, and controls handlers', async () => {
    const client = await start();
    const { contracts } = await client.get<Api.ContractsAnswer>('contracts');
    expect(contracts).toContainEqual(
      expect.objectContaining({
        handler: 'Orders.place',
        kind: 'event',
        exchange: 'events',
        key: 'order.created',
        schema: expect.objectContaining({ type: 'object' }),
      }),
    );
    const tail = await client.stream('tail?exchange=events&key=order.%23');
    const live = await client.stream('live');
    await tail.until('ready');
    const published = await client.act('publish', {
      exchange: 'events',
      routingKey: 'order.created',
      payload: { id: 3, sku: 'b' },
    });
    expect(published.body).toMatchObject({ routed: true });
    expect(await tail.until<Api.TailMessage>('message')).toMatchObject({
      routingKey: 'order.created',
      id: published.body.messageId,
      body: { kind: 'json', text: '{\n  "id": 3,\n  "sku": "b"\n}' },
    });
    expect(await live.until<Api.AuditRow>('audit')).toMatchObject({
      act: 'publish',
      who: 'ada',
      result: 'done',
    });
    const called = await client.act('call', { pattern: 'b.price', payload: false });
    expect(called.body.reply).toMatchObject({ kind: 'json', text: '7' });
    const failed = await client.act('call', { pattern: 'b.nobody', payload: false });
    expect([failed.status, failed.body.error.code]).toEqual([502, 'WARREN_RPC_NO_SERVER']);

    expect((await client.act('handler.pause', { handler: 'Orders.place' })).body).toEqual({
      handler: 'Orders.place',
      inForce: true,
      everywhere: null,
    });
    const paused = async (): Promise<boolean | undefined> => {
      const { handlers } = await client.get<Api.HandlersAnswer>('handlers');
      return handlers.find(({ id }) => id === 'Orders.place')?.instances[0]?.control?.paused;
    };
    await until(async () => (await paused()) === true, 'the pause in the view');
    expect((await live.until<Api.LiveEvent>('event', ({ kind }) => kind === 'consumer-paused')).queue).toBe(
      'b.orders',
    );
    expect((await client.act('handler.prefetch', { handler: 'Orders.place', value: 5 })).status).toBe(200);
    expect((await client.act('handler.rate', { handler: 'Orders.place', value: '50/s' })).status).toBe(200);
    expect((await client.act('handler.resume', { handler: 'Orders.place' })).status).toBe(200);
    expect((await client.act('handler.pause', { handler: 'Orders.plaec' })).body.error).toMatchObject({
      code: 'WARREN_CONFIG',
    });
    await until(async () => (await paused()) === false, 'the end of the pause in the view');
  });

  it('pauses and limits a handler in all instances, where they hear of it', async () => {
    const fleet = (service: string, control: boolean): ModuleMetadata => ({
      imports: [
        RabbitModule.forRoot({ url: broker.url, service, queueType: 'classic', fleet: { control } }),
        BoardModule.forRoot(all),
      ],
    });
    const shop = await board({ ...fleet('b.shop', true), providers: [Orders] });
    const other = await board(fleet('b.other', false));
    const row = async (): Promise<Api.HandlerRow> =>
      until(async () => {
        const { handlers } = await other.get<Api.HandlersAnswer>('handlers');
        return handlers.find(({ id, everywhere }) => id === 'Orders.place' && everywhere);
      }, 'the handler of the other service');
    const [{ host, pid }] = (await row()).instances;
    const request = { handler: 'Orders.place', everywhere: true, service: 'b.shop' };
    const { body } = await other.act('handler.pause', request);
    expect(body).toMatchObject({
      inForce: true,
      everywhere: { done: [{ host, pid }], failed: [], silent: [] },
    });
    await until(
      async () => (await row()).instances[0]?.control?.pausedEverywhere,
      'the pause in the view of the other service',
    );
    const resumed = await shop.act('handler.resume', { handler: 'Orders.place', everywhere: true });
    expect(resumed.body).toMatchObject({ inForce: true, everywhere: { failed: [], silent: [] } });
    await until(async () => (await row()).instances[0]?.control?.paused === false, 'the end of the pause');
    expect((await other.act('handler.rate', { ...request, value: '50/s' })).body.inForce).toBe(true);
    await until(
      async () => (await row()).instances[0]?.control?.rate === '50/s',
      'the rate in the view of the other service',
    );
    const refused = await other.act('handler.pause', { ...request, service: 'b.other' });
    expect([refused.status, refused.body.error.message]).toEqual([
      404,
      "no instance of 'b.other' with a board hears what is wanted of 'Orders.place' everywhere",
    ]);
    const wrong = await shop.act('handler.pause', { handler: 'Orders.place', service: 'b.shop' });
    expect([wrong.status, wrong.body.error.message]).toEqual([
      400,
      'service is for acts with everywhere: true',
    ]);
  });
});
