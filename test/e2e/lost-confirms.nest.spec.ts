// The broker takes a message and never says so, on a connection that is well: nothing waits for ever, and nothing is lost.
import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Consume, RabbitModule, RpcHandler } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';

@Injectable()
class Work {
  @Consume('failing', { retry: { attempts: 2, delays: '10s' }, prefetch: 1 })
  fail(): void {
    throw new Error('always');
  }

  @RpcHandler('answers')
  answer(): string {
    return 'yes';
  }
}

const given = process.env.RABBITMQ_URL;
let rabbit: RabbitTesting;

async function start(): Promise<string[]> {
  delete process.env.RABBITMQ_URL;
  const lines: string[] = [];
  const ignored = (): void => undefined;
  const logger = {
    ...{ log: ignored, error: ignored },
    warn: (line: string) => void (line.includes('did not confirm') && lines.push(line)),
  };
  // Longer than anybody can wait: retries and dead letters have a limit of their own.
  const imports = [RabbitModule.forRoot({ service: 'shop', logger, publish: { timeout: '1h' } })];
  rabbit = await RabbitTesting.start({ imports, providers: [Work], waits: 'real', logs: true });
  return lines;
}

afterEach(async () => {
  await rabbit.stop();
  if (given !== undefined) process.env.RABBITMQ_URL = given;
});

it.each([
  ['a retry', 'shop.retry.10000'],
  ['a retry that was due', 'failing'],
  ['a dead letter', 'failing.dead'],
])(
  '%s that is never confirmed is sent once more on another channel, which is said once',
  async (_, queue) => {
    const lines = await start();
    await rabbit.publisher.send('failing', 1);
    await rabbit.faults.dropConfirm({ queue });
    await rabbit.advance('5m');
    const outcomes = rabbit.failed(Work, 'fail').map(({ outcome }) => outcome);
    expect(outcomes).toContain('dead-letter');
    expect(rabbit.publisher.status().consumers.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
    expect(lines).toEqual([
      expect.stringContaining(`to ${queue === 'shop.retry.10000' ? 'exchange' : 'queue'} '${queue}'`),
    ]);
    // The place is free: what comes next runs as ever.
    await rabbit.publisher.send('failing', 2);
    await rabbit.advance('5m');
    expect(
      rabbit.failed(Work, 'fail').filter(({ outcome }) => outcome === 'dead-letter').length,
    ).toBeGreaterThan(1);
  },
);

it('an answer that is never confirmed reaches its caller, and its request is settled', async () => {
  const lines = await start();
  await rabbit.faults.dropConfirm({ exchange: '' });
  const answer = rabbit.publisher.request('answers', 1);
  await rabbit.advance('5m');
  expect(await answer).toBe('yes');
  expect(rabbit.publisher.status().consumers.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  expect(lines).toHaveLength(1);
});
