// Tenants side by side. On an embedded broker, or on RabbitMQ when RABBITMQ_URL is set.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RabbitTesting } from '@warren/nestjs/testing';
import { AppModule } from './app.module.js';
import { ReportMaker } from './reports.js';
import { queueOf } from './tenant.js';
import { Tenants } from './tenants.js';

describe('tenants', () => {
  let rabbit: RabbitTesting;

  beforeAll(async () => {
    rabbit = await RabbitTesting.start({ imports: [AppModule] });
    for (const id of ['flood', 'broken', 'small']) await rabbit.get(Tenants).add({ id, concurrency: 2 });
  });

  afterAll(() => rabbit.stop());

  it('no tenant waits for another, and none takes more than its share', async () => {
    const reports = Array.from({ length: 100 }, (_, i) => ({ name: `${i}` }));
    await Promise.all(reports.map((report) => rabbit.publisher.send(queueOf('flood'), report)));
    await rabbit.publisher.send(queueOf('small'), { name: 'one' });
    await rabbit.idle();

    const { made, peak } = rabbit.get(ReportMaker);
    expect(made).toHaveLength(101);
    expect(made.at(-1)).toMatch('flood');
    expect(peak.get('flood')).toBe(2);
  });

  it('what fails stays with its tenant, and the log says whose it was', async () => {
    await rabbit.publisher.send(queueOf('broken'), { name: 'bad', broken: true });
    await rabbit.idle();

    expect(rabbit.dead(queueOf('broken'))).toMatchObject([{ attempts: 2, handler: 'Reports(broken).make' }]);
    expect(rabbit.dead(queueOf('small'))).toEqual([]);
  });

  it('comes and goes while the others work; what is sent meanwhile waits', async () => {
    const { made } = rabbit.get(ReportMaker);
    const tenants = rabbit.get(Tenants);
    await tenants.add({ id: 'guest', concurrency: 1 });
    await rabbit.publisher.send(queueOf('guest'), { name: 'first' });
    await rabbit.idle();
    expect(made.at(-1)).toBe('guest: first');

    await tenants.remove('guest');
    await rabbit.publisher.send(queueOf('guest'), { name: 'second' });
    await rabbit.publisher.send(queueOf('small'), { name: 'meanwhile' });
    await rabbit.idle();
    expect(made.at(-1)).toBe('small: meanwhile');

    await tenants.add({ id: 'guest', concurrency: 1 });
    await rabbit.idle();
    expect(made.at(-1)).toBe('guest: second');
  });

  it('the sender cannot choose another tenant: the queue decides', async () => {
    await rabbit.publisher.send(queueOf('small'), { name: 'mine' }, { headers: { tenant: 'flood' } });
    await rabbit.idle();

    expect(rabbit.get(ReportMaker).made.at(-1)).toBe('small: mine');
  });
});
