// The whole way of webhooks to real HTTP servers. On an embedded broker, or on RabbitMQ when RABBITMQ_URL is set.
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DeadLetters } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';
import { AppModule } from './app.module.js';
import { DeadLetterRoutine } from './dead-letter-routine.js';
import { type Endpoint, startEndpoint } from './endpoint.js';
import { WebhookSender, Webhooks } from './webhooks.js';

describe('webhooks', () => {
  let rabbit: RabbitTesting;
  const endpoints: Endpoint[] = [];
  const printed = jest.spyOn(console, 'log').mockImplementation(() => undefined);

  beforeAll(async () => {
    rabbit = await RabbitTesting.start({
      imports: [AppModule],
      configure: (builder) =>
        builder.overrideProvider(DeadLetters).useValue(new DeadLetters({ url: () => rabbit.url })),
    });
  });

  afterEach(() => {
    for (const endpoint of endpoints.splice(0)) endpoint.close();
  });

  afterAll(async () => {
    await rabbit.stop();
    printed.mockRestore();
  });

  async function deliver(status: (asked: number) => number): Promise<Endpoint> {
    const endpoint = await startEndpoint('customer', status);
    endpoints.push(endpoint);
    await rabbit.publisher.send(Webhooks, { url: endpoint.url, event: { invoice: 17 } });
    await rabbit.idle();
    return endpoint;
  }

  it('a webhook arrives once, although the endpoint fails at first', async () => {
    const endpoint = await deliver((asked) => (asked < 3 ? 503 : 200));
    expect(endpoint).toMatchObject({ asked: 3, accepted: [expect.any(String)] });
    expect(rabbit.handled(WebhookSender, 'deliver')).toHaveLength(1);
  });

  it('an endpoint that has too much to do is asked again later', async () => {
    expect((await deliver((asked) => (asked < 2 ? 429 : 200))).accepted).toHaveLength(1);
  });

  it('what failed for good waits until the routine sends it again, and arrives with the same id', async () => {
    let repaired = false;
    const endpoint = await deliver(() => (repaired ? 200 : 500));
    expect(endpoint.asked).toBe(4);
    const [dead] = rabbit.dead('webhooks');
    expect(dead).toMatchObject({ reason: 'attempts-exhausted', attempts: 4 });

    repaired = true;
    expect(await rabbit.get(DeadLetterRoutine).run()).toEqual({ replayed: 1, left: 0 });
    await rabbit.idle();
    expect(endpoint).toMatchObject({ asked: 5, accepted: [expect.any(String)] });
  });

  it('an endpoint that is gone is not asked again, neither by a retry nor by the routine', async () => {
    const endpoint = await deliver(() => 410);
    expect(endpoint.asked).toBe(1);
    expect(await rabbit.get(DeadLetterRoutine).run()).toEqual({ replayed: 0, left: 1 });
  });
});
