// Hundreds of deliveries out of a seed, and a handler that fails now and then: each ends acked or as a dead letter, none
// comes back for ever, and the good ones between them are handled. WARREN_SEED repeats a run.
import { expect, it } from '@jest/globals';
import { seeded, times } from '../contract/random.js';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { body, properties, table } from '../support/random-deliveries.js';
import { publishRaw } from '../support/raw-tables.js';
import { count, warren } from '../support/warren.js';

const INPUTS = 400;
const EVERY = 10;
const GOOD = { contentType: 'application/json' };

onEachBroker('random deliveries', (broker) => {
  it(`${INPUTS} of them all have their end`, () =>
    seeded(async (chance) => {
      const good: number[] = [];
      const rabbit = warren(broker.url, { prefetch: 20, retry: { attempts: 2, delays: 10, jitter: false } });
      await rabbit
        .consume('random', ({ payload, attempt }) => {
          const sent = (payload as { good?: number } | null | undefined)?.good;
          if (sent !== undefined) good.push(sent);
          else if (typeof payload === 'string' && attempt === 1) throw new Error('not yet');
          else if (Buffer.isBuffer(payload)) throw new Error('never');
        })
        .open();
      const channel = await (await broker.connect()).createConfirmChannel();
      for (let n = 0; n < INPUTS; n++) {
        const { content, contentType, contentEncoding } = body(chance);
        if (chance.chance(0.6)) publishRaw(channel, '', 'random', content, { table: table(chance) });
        else channel.sendToQueue('random', content, { ...properties(chance), contentType, contentEncoding });
        if (n % EVERY === 0) channel.sendToQueue('random', Buffer.from(`{"good":${n}}`), GOOD);
      }
      // The broker has taken all of them when it answers.
      await channel.checkQueue('random');
      let acked = 0;
      let dead = 0;
      let retried = 0;
      const total = INPUTS + INPUTS / EVERY;
      await until(
        () => {
          const ends = rabbit.events.all.flatMap((event) =>
            event.kind === 'handled' ? [event.verdict.kind] : [],
          );
          acked = ends.filter((kind) => kind === 'ack').length;
          dead = ends.filter((kind) => kind === 'dead-letter').length;
          retried = ends.filter((kind) => kind === 'retry').length;
          return acked + dead >= total;
        },
        `${total} ends; ${rabbit.lines.filter((line) => line.includes('could not be')).join('\n')}`,
      );
      await until(async () => (await count(broker, 'random.dead')) === dead, 'all dead letters');
      expect(acked + dead).toBe(total);
      expect(await count(broker, 'random')).toBe(0);
      expect(good.sort((a, b) => a - b)).toEqual(times(INPUTS / EVERY, (n) => n * EVERY));
      expect([acked > 0, dead > 0, retried > 0, retried <= total]).toEqual([true, true, true, true]);
      const kinds = new Set(rabbit.events.all.map(({ kind }) => kind));
      for (const kind of ['disconnected', 'consumer-lost', 'forward-failed'] as const)
        expect(kinds).not.toContain(kind);
      for (const line of rabbit.lines) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    }));
});
