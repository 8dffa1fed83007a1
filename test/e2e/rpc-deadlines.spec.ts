// Deadlines travel with a request: to the handler, through its retries, into the calls that it makes, and no further
// than its caller waits.

import { expect, it } from '@jest/globals';
import { systemClock, type BrokerEvent, type Delivery } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { count, rejection, replying, taken, warren } from '../support/warren.js';

/** Ends when it is told to stop. */
const patient = ({ signal }: Delivery): Promise<unknown> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );

/** A request as another program makes it. */
async function ask(broker: TestBroker, queue: string, properties: object): Promise<void> {
  const channel = await (await broker.connect()).createConfirmChannel();
  channel.sendToQueue(queue, Buffer.from('1'), { contentType: 'application/json', ...properties });
  await channel.waitForConfirms();
}

onEachBroker('deadlines', (broker) => {
  it('stand in the request, which expires with them', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('looked.at');
    const { broker: client } = warren(broker.url);
    const began = Date.now();
    const failing = rejection(client.request('looked.at', 1, { timeout: '2s' }));
    const { properties } = await taken(broker, 'looked.at');
    const deadline = properties.headers?.['x-warren-deadline'] as number;
    expect(deadline).toBeGreaterThanOrEqual(began + 2_000 - 1);
    expect(deadline).toBeLessThanOrEqual(Date.now() + 2_000);
    expect(properties.expiration).toBe('2000');
    await client.close();
    await failing;
  });

  it('abort the signal of the handler, also of one without a timeout', async () => {
    const started = new Collector<Delivery>();
    const rabbit = await warren(broker.url)
      .rpc('aborted', (delivery) => (started.push(delivery), patient(delivery)))
      .open();
    await replying(rabbit);
    expect((await rejection(rabbit.broker.request('aborted', 1, { timeout: 1_000 }))).code).toBe(
      'WARREN_RPC_TIMEOUT',
    );
    const delivery = await started.one();
    await until(() => delivery.signal.aborted, 'the signal');
    await until(() => rabbit.broker.status().timers === 0, 'no timer to be left');
    expect(await count(broker, 'aborted')).toBe(0);
    expect(rabbit.lines.filter((line) => line.includes('failed'))).toEqual([]);
  });

  it('keep a request from being run that comes too late, which is answered and told', async () => {
    const runs = new Collector<unknown>();
    const rabbit = await warren(broker.url, { rpc: { replyTo: 'any' } })
      .rpc('late', ({ payload }) => runs.push(payload))
      .open();
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('late.replies');
    await ask(broker, 'late', {
      ...{ replyTo: 'late.replies', correlationId: 'c' },
      headers: { 'x-warren-deadline': Date.now() - 1 },
    });
    const reply = await taken(broker, 'late.replies');
    expect(JSON.parse(reply.content.toString())).toMatchObject({ code: 'WARREN_CALLER_LEFT' });
    expect(reply.properties.correlationId).toBe('c');
    expect(runs.size).toBe(0);
    const skipped = rabbit.events.all.filter(
      (event): event is Extract<BrokerEvent, { kind: 'call-skipped' }> => event.kind === 'call-skipped',
    );
    expect(skipped.map(({ handler, reason }) => [handler, reason])).toEqual([['late', 'late']]);
    expect(await count(broker, 'late')).toBe(0);
  });

  it('of a caller that only says expiration hold too, through every retry', async () => {
    const attempts = new Collector<Delivery>();
    const rabbit = await warren(broker.url, { rpc: { replyTo: 'any' } })
      .rpc('expiring', (delivery) => (attempts.push(delivery), Promise.reject(new Error('no'))), {
        retry: { delays: 1_100, attempts: 50, jitter: false },
      })
      .open();
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('expiring.replies');
    await ask(broker, 'expiring', { replyTo: 'expiring.replies', correlationId: 'c', expiration: '3000' });
    const reply = await taken(broker, 'expiring.replies');
    expect(reply.properties.headers).toMatchObject({ 'x-rpc-error': 1 });
    const { size } = attempts;
    expect(size).toBeGreaterThan(1);
    expect(size).toBeLessThan(6);
    expect(attempts.all[1].headers['x-warren-deadline']).toEqual(expect.any(Number));
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'the request to be settled');
    expect(await rabbit.broker.backlog()).toBe(0);
  });

  it('are those of the caller, whatever its clock says', async () => {
    const started = new Collector<Delivery>();
    const rabbit = await warren(broker.url)
      .rpc('ahead', (delivery) => (started.push(delivery), patient(delivery)))
      .open();
    await ask(broker, 'ahead', {
      ...{ correlationId: 'c', expiration: '1500' },
      headers: { 'x-warren-deadline': Date.now() + 3_600_000 },
    });
    const { signal } = await started.one();
    await until(() => signal.aborted, 'the signal');
    expect(rabbit.broker.status().timers).toBe(0);
  });

  it.each([1e15, Number.MAX_SAFE_INTEGER, -1e15, 'soon', null, true])(
    'that make no sense (%s) harm nobody',
    async (deadline) => {
      const rabbit = await warren(broker.url, { rpc: { replyTo: 'any' } })
        .rpc('odd', ({ payload }) => payload)
        .open();
      const channel = await (await broker.connect()).createChannel();
      await channel.assertQueue('odd.replies');
      await ask(broker, 'odd', {
        ...{ replyTo: 'odd.replies', correlationId: 'c' },
        headers: { 'x-warren-deadline': deadline },
      });
      await taken(broker, 'odd.replies');
      expect(rabbit.broker.status().timers).toBe(0);
      expect(await rabbit.broker.request('odd', 1)).toBe(1);
    },
  );

  it('are inherited by the calls that a handler makes, and end them with a time-out', async () => {
    const inner = new Collector<{ delivery: Delivery; at: number }>();
    const errors = new Collector<Error & { code?: string }>();
    const rabbit = warren(broker.url);
    await rabbit
      .rpc('inner', (delivery) => (inner.push({ delivery, at: Date.now() }), patient(delivery)))
      .rpc('outer', () =>
        rabbit.broker.request('inner', 1, { timeout: '1m' }).catch((error: Error) => {
          errors.push(error);
          throw error;
        }),
      )
      .open();
    // The caller is another program, which never cancels: a cancel at the end of its time may come before our deadline.
    await ask(broker, 'outer', { correlationId: 'c', expiration: '2000' });
    const { delivery, at } = await inner.one();
    expect(delivery.headers['x-warren-deadline']).toBeLessThanOrEqual(at + 2_000);
    expect((await errors.one()).code).toBe('WARREN_RPC_TIMEOUT');
    await until(() => delivery.signal.aborted, 'the inner handler to be told');
    await until(() => rabbit.broker.status().timers === 0, 'no timer to be left');
    expect(rabbit.broker.status().pendingCalls).toBe(0);
  });

  it('are over for calls that begin too late, which reject at once', async () => {
    const errors = new Collector<Error & { code?: string }>();
    const rabbit = warren(broker.url);
    await rabbit
      .rpc('never', () => 1)
      .rpc('slow', async (delivery) => {
        await patient(delivery).catch(() => undefined);
        for (const call of [
          () => rabbit.broker.request('never', 1),
          () => rabbit.broker.gather('never', 1),
          () => rabbit.broker.stream('never', 1).next(),
        ]) {
          await Promise.resolve(call()).catch(errors.push);
        }
      })
      .open();
    await replying(rabbit);
    await rejection(rabbit.broker.request('slow', 1, { timeout: 1_000 }));
    expect((await errors.take(3)).map(({ code }) => code)).toEqual(Array(3).fill('WARREN_RPC_TIMEOUT'));
    expect(rabbit.broker.status().pendingCalls).toBe(0);
  });

  it('do not reach work that goes on when the handler has answered', async () => {
    const after = new Collector<unknown>();
    let go = (): void => undefined;
    let moved = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + moved };
    const rabbit = warren(broker.url, {}, { clock });
    await rabbit
      .rpc('echo', ({ payload }) => payload)
      .rpc('behind', () => {
        void new Promise<void>((resolve) => (go = resolve))
          .then(() => rabbit.broker.request('echo', 'free', { timeout: '20s' }))
          .then(after.push, after.push);
        return 'answered';
      })
      .open();
    expect(await rabbit.broker.request('behind', 1, { timeout: '8s' })).toBe('answered');
    // The time of the call is over.
    moved = 9_000;
    go();
    expect(await within(after.one(), 'the call')).toBe('free');
  });
});
