// `npm run demo -- --board`, as the README promises it: a board with something to see, which ends with all it started.
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import type * as Api from '../../libs/board/src/api.js';
import { Child, endAll } from '../../tools/demo/child.mjs';
import { leftBehind } from '../../tools/left-behind.mjs';
import { until } from '../support/events.js';
import { withPrometheus } from '../support/prometheus.js';
import { lines, path } from './demo-processes.js';

/** It takes some ten seconds; on a machine that is busy with other tests longer. */
const MINUTES = 240_000;

const isBuilt = ['dist/apps/board/main.js', 'libs/board/dist/page/index.html'].every((each) =>
  existsSync(path(each)),
);

afterEach(() => endAll());

(isBuilt ? describe : describe.skip)('npm run demo -- --board (needs `npm run build`)', () => {
  it(
    'shows dead letters of several errors and a paused handler, and leaves nothing behind',
    async () => {
      const mark = String(process.pid);
      const env = { ...process.env, DEMO_BOARD: mark };
      const demo = new Child('the demo', [path('tools/demo.mjs'), '--board'], env);
      const address = (): string | undefined => /http:\/\/\S+\/warren/.exec(lines(demo).join('\n'))?.[0];
      await until(() => address() !== undefined, 'the address of the board', MINUTES);
      const get = async <T>(view: string): Promise<T> =>
        (await (await fetch(`${address()}/api/${view}`)).json()) as T;
      const handler = async (id: string): Promise<Api.HandlerRow | undefined> =>
        (await get<Api.HandlersAnswer>('handlers')).handlers.find((each) => each.id === id);

      const session = await get<Api.Session>('session');
      expect(session).toMatchObject({ service: 'shop', rights: ['look', 'replay', 'edit', 'control'] });
      const call = async (): Promise<boolean> =>
        (await get<Api.CallsAnswer>('calls')).calls.some(({ pattern }) => pattern === 'shipping.quote');
      await until(call, 'a call without an answer', MINUTES);
      // Only the bank has third attempts. Each reading counts as a delivery, so there is one, when they have been.
      const thirds = async (): Promise<number> =>
        (await handler('Payments.charge'))?.figures?.attempts[2] ?? 0;
      await until(async () => (await thirds()) > 2, 'the last attempts of some payments', MINUTES);
      const { groups } = await get<Api.LettersAnswer>('dead-letters/shop.payments.dead');
      expect(groups.map(({ error }) => error).sort()).toEqual(['BankAway', 'CardExpired', 'DecodeError']);
      const { queues } = await get<Api.DeadQueuesAnswer>('dead-letters');
      const row = queues.find(({ queue }) => queue === 'shop.payments.dead');
      expect(row?.handlers).toEqual(['shop Payments.charge']);
      const reports = await handler('Reports.write');
      expect(reports?.instances[0]?.control?.paused).toBe(true);
      expect(reports?.onBroker?.ready).toBeGreaterThan(0);
      expect(await (await fetch(`${address()}/`)).text()).toMatch(/^<!doctype html>/i);

      if (existsSync('/proc/self/environ')) expect(leftBehind(mark, 'DEMO_BOARD')).toHaveLength(2);
      demo.signal('SIGTERM');
      expect([await demo.ended, demo.complaints]).toEqual([{ code: 143, signal: null }, '']);
      expect(leftBehind(mark, 'DEMO_BOARD')).toEqual([]);
      await expect(get('session')).rejects.toThrow();
    },
    MINUTES,
  );

  it('takes no options about scenes', async () => {
    const demo = new Child('the demo', [path('tools/demo.mjs'), '--board', '--only', 'RPC']);
    expect(await demo.ended).toEqual({ code: 1, signal: null });
    expect(demo.complaints).toMatch(/--board has a broker of its own[\s\S]*--restart <command>/);
  });

  withPrometheus('with Prometheus', (prometheus) => {
    it(
      'is scraped: what is handled, what died of which error, and what is paused',
      async () => {
        const demo = new Child('the demo', [path('tools/demo.mjs'), '--board']);
        const address = (): string | undefined => /http:\/\/\S+\/metrics/.exec(lines(demo).join('\n'))?.[0];
        await until(() => address() !== undefined, 'the address of the metrics', MINUTES);
        const { ask } = await prometheus.scraping(address()!);
        const above = (query: string): Promise<unknown> =>
          until(async () => ((await ask(query)) ?? 0) > 0, query, MINUTES);
        await above('sum(messaging_process_duration_seconds_count{handler="Stock.reserve"})');
        await above('sum(warren_dead_letters_total)');
        await above('max(warren_consumer_paused)');
        expect(await ask('min(warren_connection_up)')).toBe(1);
        demo.signal('SIGTERM');
        await demo.ended;
      },
      MINUTES,
    );
  });
});
