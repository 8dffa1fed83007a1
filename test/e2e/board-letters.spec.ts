// Dead letters in the board: no act takes more, other or fewer of them than it says, and no edit changes what nobody touched.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { ConfirmChannel, Options } from 'amqplib';
import { BoardModule } from '@warren/board';
import { Consume, RabbitModule } from '@warren/nestjs';
import type * as Api from '../../libs/board/src/api.js';
import { board, type BoardClient } from '../support/board.js';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';

const QUEUE = 'l.orders.dead';

@Injectable()
class Held {
  @Consume('l.held')
  hold(): void {
    throw new Error('nothing comes here');
  }
}

onEachBroker('dead letters in the board', (broker) => {
  describe.each(['classic', 'quorum'])('of a %s queue', (type) => {
    let client: BoardClient;
    let channel: ConfirmChannel;

    beforeEach(async () => {
      client = await board({
        imports: [
          RabbitModule.forRoot({ url: broker.url, service: 'l.shop', queueType: 'classic' }),
          BoardModule.forRoot({ management: false, access: () => ['look', 'replay', 'edit', 'control'] }),
        ],
        providers: [Held],
      });
      channel = await (await broker.connect()).createConfirmChannel();
      for (const queue of [QUEUE, 'l.orders']) await channel.deleteQueue(queue);
      await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': type } });
      await channel.assertQueue('l.orders', { durable: true });
    });

    /** Puts a letter there, as the broker or another program does: without an id, unless it is given. */
    const put = (content: Buffer | string, options: Options.Publish = {}): void =>
      void channel.sendToQueue(QUEUE, Buffer.from(content as string), {
        ...options,
        headers: { 'x-warren-reason': 'rejected', 'x-warren-queue': 'l.orders', ...options.headers },
      });
    const list = async (query = ''): Promise<Api.LettersAnswer> => {
      await channel.waitForConfirms();
      return client.get<Api.LettersAnswer>(`dead-letters/${QUEUE}?limit=500${query}`);
    };
    const letter = (key: string): Promise<Api.LetterAnswer> =>
      client.get<Api.LetterAnswer>(`dead-letters/${QUEUE}/letters/${key}`);
    const length = async (queue: string): Promise<number> => (await channel.checkQueue(queue)).messageCount;
    const reach = (queue: string, count: number): Promise<unknown> =>
      until(async () => (await length(queue)) === count, `${count} messages in ${queue}`);
    const over = ({ id }: Api.Job): Promise<Api.Job> =>
      until(async () => {
        const { jobs } = await client.get<Api.JobsAnswer>('jobs');
        return jobs.find((each) => each.id === id && each.endedAt !== null);
      }, 'the end of the job');
    const drop = async (select: Api.Selection): Promise<Api.Job> => {
      const { status, body } = await client.act('dead.drop', { queue: QUEUE, select, save: 'none' });
      expect([status, body.error]).toEqual([200, undefined]);
      return over(body.job);
    };

    it('are not edited where only their beginning is shown', async () => {
      put(`a;b\n${'1;2\n'.repeat(75_000)}`);
      const [{ key }] = (await list()).letters;
      const { body, notEditable } = await letter(key);
      expect([body.cut, notEditable]).toEqual([true, 'it is too large']);
      const edit = await client.act('dead.edit', { queue: QUEUE, key, body: 'a;b\n', force: true });
      expect([edit.status, edit.body.error.message]).toEqual([
        400,
        'this message cannot be edited: it is too large',
      ]);
      await reach(QUEUE, 1);
    });

    it.each(['a;1\r\nb;2\n', Buffer.from('caf\u00e9', 'latin1')])(
      'are not edited where an edit would change more: %j',
      async (content) => {
        put(content, { contentType: 'text/plain' });
        const [{ key }] = (await list()).letters;
        expect((await letter(key)).notEditable).toMatch(/^its lines end in different ways|^it is no text/);
        const { status } = await client.act('dead.edit', { queue: QUEUE, key, body: 'a', force: true });
        expect(status).toBe(400);
        await reach(QUEUE, 1);
      },
    );

    it('keep numbers and names that nobody touched', async () => {
      put('{"id":9007199254740993,"rate":1e400,"a":1,"a":2}', { contentType: 'application/json' });
      const [{ key }] = (await list()).letters;
      const { body, notEditable } = await letter(key);
      expect(notEditable).toBeNull();
      const edited = await client.act('dead.edit', {
        queue: QUEUE,
        key,
        body: body.text.replace('"a": 2', '"a": 3'),
        force: true,
      });
      expect(edited.body.job).toMatchObject({ state: 'done', done: 1 });
      const message = await channel.get('l.orders', { noAck: true });
      expect(message && message.content.toString().replace(/\s/g, '')).toBe(
        '{"id":9007199254740993,"rate":1e400,"a":1,"a":3}',
      );
    });

    it('are one each, though they look the same', async () => {
      for (let n = 0; n < 3; n++) put('{"id":1}');
      for (const tenant of ['acme', 'other']) put('{}', { headers: { tenant } });
      for (const end of ['a', 'b']) put(`${'x'.repeat(70_000)}${end}`);
      const { letters } = await list();
      const keys = letters.map(({ key }) => key);
      expect(new Set(keys).size).toBe(7);
      // Stable, although a quorum queue counts each reading in the message.
      expect((await list('&fresh=1')).letters.map(({ key }) => key)).toEqual(keys);
      expect((await drop({ keys: [keys[1]] })).done).toBe(1);
      expect((await drop({ keys: [keys[4], keys[6]] })).done).toBe(2);
      await reach(QUEUE, 4);
      const left = (await list()).letters;
      expect(left.map(({ bytes }) => bytes)).toEqual([8, 8, 2, 70_001]);
      expect((await letter(left[2].key)).headers.tenant).toBe('acme');
      expect(left[3].key).toBe(keys[5]);
      expect((await drop({ keys: left.slice(0, 2).map(({ key }) => key) })).done).toBe(2);
      await reach(QUEUE, 2);
    });

    it('are all replayed by a job that begins during a reading', async () => {
      for (let round = 0; round < 3; round++) {
        for (let id = 0; id < 500; id++) put(`{"id":${id}}`, { messageId: `m-${round}-${id}` });
        await channel.waitForConfirms();
        const [read, begun] = await Promise.all([
          client.ask<Api.LettersAnswer>(`dead-letters/${QUEUE}?fresh=1`),
          client.act('dead.replay', { queue: QUEUE, select: { all: true } }),
        ]);
        if (read.status === 200) expect(read.body.reading.read).toBe(500);
        else expect(read.body.error.code).toBe('BUSY');
        expect(await over(begun.body.job)).toMatchObject({ state: 'done', done: 500 });
        await reach('l.orders', 500);
        await channel.purgeQueue('l.orders');
      }
    });

    it('are not read while a job holds them, and are when it is over', async () => {
      for (let id = 0; id < 40; id++) put(`{"id":${id}}`, { messageId: `m-${id}` });
      await channel.waitForConfirms();
      const select: Api.Selection = { all: true };
      const { body } = await client.act('dead.replay', { queue: QUEUE, select, rate: 5 });
      const read = await client.ask(`dead-letters/${QUEUE}?fresh=1`);
      expect([read.status, read.body.error.code]).toEqual([429, 'BUSY']);
      expect((await client.act('job.stop', { job: body.job.id })).status).toBe(200);
      const { done } = await over(body.job);
      expect(done).toBeLessThan(40);
      await reach(QUEUE, 40 - done);
      expect((await list()).reading.read).toBe(40 - done);
    });

    it('are not counted while a job holds them', async () => {
      const queue = 'l.held.dead';
      for (let id = 0; id < 20; id++) channel.sendToQueue(queue, Buffer.from('{}'));
      await channel.waitForConfirms();
      const counted = async (): Promise<Api.DeadQueueRow | undefined> =>
        (await client.get<Api.DeadQueuesAnswer>('dead-letters')).queues.find((each) => each.queue === queue);
      const select: Api.Selection = { all: true };
      const { body } = await client.act('dead.replay', { queue, select, rate: 1, to: 'l.orders' });
      expect(await counted()).toMatchObject({ messages: null, error: expect.stringMatching(/replayed/) });
      await client.act('job.stop', { job: body.job.id });
      const { done } = await over(body.job);
      await reach(queue, 20 - done);
      expect(await counted()).toMatchObject({ messages: 20 - done, error: null });
      await channel.purgeQueue(queue);
    });

    it('are not read again for one that is gone', async () => {
      put('{"id":1}');
      const { reading } = await list();
      const gone = await client.ask(`dead-letters/${QUEUE}/letters/gone`);
      expect([gone.status, gone.body.error.code]).toEqual([409, 'STALE']);
      expect((await list()).reading).toEqual(reading);
    });

    it('are searched while other work goes on', async () => {
      const content = JSON.stringify(Array.from({ length: 6_000 }, (_, n) => n));
      for (let id = 0; id < 200; id++) put(content, { contentType: 'application/json' });
      await list();
      let [searches, longest, last] = [true, 0, performance.now()];
      const began = last;
      const turn = (): void => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
        if (searches) setImmediate(turn);
      };
      setImmediate(turn);
      expect((await list('&text=nothing')).total).toBe(0);
      searches = false;
      expect(longest).toBeLessThan((performance.now() - began) / 2);
    });

    it('are searched again and again', async () => {
      for (let id = 0; id < 50; id++) put(`{"id":${id}}`, { messageId: `m-${id}` });
      for (const [text, total] of [
        ['M-4', 11],
        ['m-49', 1],
        ['"id": 7', 1],
        ['nothing', 0],
      ] as const)
        expect((await list(`&text=${encodeURIComponent(text)}`)).total).toBe(total);
      const begun = await client.act('dead.drop', {
        queue: QUEUE,
        select: { all: true, text: 'm-4' },
        save: 'none',
      });
      expect(await over(begun.body.job)).toMatchObject({ done: 11, total: 11 });
      await reach(QUEUE, 39);
    });
  });
});
