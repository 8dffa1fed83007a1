// A test that makes the broker fail, and sees how handlers and publishers come out of it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, RabbitModule } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';

@Injectable()
class Work {
  @Consume('work')
  run(@Payload() _job: number): void {}

  @Consume('failing', { retry: { attempts: 3, delays: '10s' } })
  fail(): void {
    throw new Error('always');
  }
}

describe('a test that makes the broker fail', () => {
  const given = process.env.RABBITMQ_URL;
  let rabbit: RabbitTesting;

  beforeEach(async () => {
    delete process.env.RABBITMQ_URL;
    const imports = [RabbitModule.forRoot({ service: 'shop' })];
    rabbit = await RabbitTesting.start({ imports, providers: [Work], waits: 'real' });
  });
  afterEach(async () => {
    await rabbit.stop();
    if (given !== undefined) process.env.RABBITMQ_URL = given;
  });

  it('sees consumers and publishers come back from a cut, and nothing lost', async () => {
    expect(await rabbit.faults.cut()).toBeGreaterThanOrEqual(2);
    // What is sent before that is noticed may be lost, or not: nobody knows.
    await rabbit.advance(0);
    const sent = [1, 2, 3].map((job) => rabbit.publisher.send('work', job));
    await rabbit.advance('1m');
    await Promise.all(sent);
    expect(rabbit.handled(Work, 'run').sort()).toEqual([1, 2, 3]);
    expect(rabbit.publisher.status().counters.connectionsLost).toBeGreaterThanOrEqual(2);
  });

  it('sees retries go on after an outage of minutes', async () => {
    await rabbit.publisher.send('failing', 1);
    await rabbit.advance(0);
    const refusing = await rabbit.faults.refuse();
    await rabbit.faults.cut();
    await rabbit.advance('10m');
    expect(rabbit.failed(Work, 'fail')).toHaveLength(1);
    await refusing.end();
    await rabbit.advance('5m');
    expect(rabbit.failed(Work, 'fail').map(({ outcome }) => outcome)).toEqual([
      'retry',
      'retry',
      'dead-letter',
    ]);
  });

  it('sees a consumer that the broker cancelled consume again', async () => {
    expect(await rabbit.faults.cancelConsumer({ queue: 'work' })).toBe(1);
    await rabbit.publisher.send('work', 1);
    await rabbit.advance('1m');
    expect(rabbit.handled(Work, 'run')).toEqual([1]);
  });

  it('sees a publish wait while an alarm lasts, and one without a confirm fail', async () => {
    const alarm = await rabbit.faults.alarm('disk');
    const sent = rabbit.publisher.send('work', 1);
    await rabbit.advance('5s');
    expect(rabbit.publisher.status().connections.some(({ blocked }) => blocked)).toBe(true);
    await alarm.end();
    await sent;
    await rabbit.faults.dropConfirm({ queue: 'work' });
    const unknown = rabbit.publisher.send('work', 2).then(
      () => 'confirmed',
      (error: { code: string }) => error.code,
    );
    await rabbit.advance('2m');
    expect(await unknown).toBe('WARREN_PUBLISH_UNKNOWN');
    expect(rabbit.handled(Work, 'run')).toContain(2);
  });

  it('sees a frozen broker noticed by nobody, until it thaws', async () => {
    await rabbit.faults.freeze();
    const sent = rabbit.publisher.send('work', 1);
    await rabbit.advance('2s', { patience: 20 });
    expect(rabbit.handled(Work, 'run')).toEqual([]);
    await rabbit.faults.thaw();
    await sent;
    await rabbit.idle();
    expect(rabbit.handled(Work, 'run')).toEqual([1]);
  });

  it('is idle when connections that were cut are back', async () => {
    await rabbit.faults.cut();
    await rabbit.idle();
    const { connections } = rabbit.publisher.status();
    expect(connections.map(({ state }) => state).filter((state) => state !== 'idle')).toEqual([
      'open',
      'open',
    ]);
  });

  it('hears in time that it is not idle, also of a broker that does not answer', async () => {
    await rabbit.faults.freeze();
    const began = performance.now();
    await expect(rabbit.idle({ timeout: 300 })).rejects.toThrow(
      'not idle after 300 ms: the broker does not answer',
    );
    expect(performance.now() - began).toBeLessThan(2_000);
    await rabbit.faults.thaw();
    const refusing = await rabbit.faults.refuse();
    await rabbit.faults.cut();
    await expect(rabbit.idle({ timeout: 300 })).rejects.toThrow(/not idle after 300 ms: .*connect/);
    await refusing.end();
    await rabbit.idle();
  });

  it('comes through chaos with every message handled', async () => {
    const chaos = await rabbit.faults.chaos({ seed: 2, every: 1_000 });
    const sent = Array.from({ length: 40 }, (_, job) =>
      rabbit.publisher.send('work', job).catch(() => undefined),
    );
    for (let n = 0; n < 6; n += 1) await rabbit.advance('5s', { patience: 20 });
    const actions = await chaos.stop();
    expect(actions.length).toBeGreaterThan(15);
    await rabbit.advance('5m');
    const receipts = await Promise.all(sent);
    const confirmed = receipts.flatMap((receipt, job) => (receipt ? [job] : []));
    expect(confirmed.length).toBeGreaterThan(0);
    expect(rabbit.handled(Work, 'run')).toEqual(expect.arrayContaining(confirmed));
  });
});
