// Every view of the page in Chromium, with invented answers: what it shows with data and without, to whom, at each width, and
// that texts of others are text. Acts and what is live are in page.spec.ts.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BoardPage, inChromium } from './chromium.js';
import { type Fake, startFake } from './fake.js';

const dist = join(process.cwd(), 'libs/board/dist/page');
const dead = 'dead-letters/billing.invoices.dead';

/** A place of each view, and something that it shows. */
const places: readonly (readonly [place: string, shows: string])[] = [
  ['services/shop-1', 'Queues that it consumes'],
  ['handlers/billing/Invoices.create', 'Time that 95 % took at most'],
  ['dead-letters', 'PaymentProviderError'],
  [`${dead}/k7`, 'What the schema finds wrong'],
  ['waiting', 'billing.invoices.retry.5s'],
  ['calls', 'payments.authorise'],
  ['topology/queue%20mail.newsletter', 'x-queue-type'],
  ['journey/019ac-x', 'failed for good'],
  ['tail', 'See messages as they pass'],
  ['publish/Orders.place%20rpc%20calls%20orders.place', 'Number of the order'],
  ['history', 'Replay the rest'],
];

/** The same where there is nothing, and what each says then. */
const empty: typeof places = [
  ['services', 'No service answers'],
  ['handlers', 'No handlers yet'],
  ['dead-letters', 'No dead-letter queues'],
  [dead, 'No dead letters'],
  ['waiting', 'Nothing waits'],
  ['calls', 'No call waits for an answer'],
  ['topology', 'No topology yet'],
  ['journey/019ac-x', 'Nobody knows this id'],
  ['journey', 'Follow a message'],
  ['publish', 'This service has no handlers'],
  ['history', 'Nobody has done anything yet'],
];

inChromium('the views of the board', (pages) => {
  /** Tests in `body` share a server and a page: they only look. */
  const looking = (
    title: string,
    options: Parameters<typeof startFake>[0],
    body: (board: () => BoardPage, server: () => Fake) => void,
  ): void =>
    describe(title, () => {
      let server: Fake;
      let board: BoardPage;
      beforeAll(async () => {
        server = await startFake(options);
        board = await pages.open(server.url);
      });
      afterAll(async () => {
        await pages.leave();
        await server.close();
        expect(board.wrong).toEqual([]);
      });
      body(
        () => board,
        () => server,
      );
    });

  it('is small, works below any path and fetches nothing from elsewhere', () => {
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.\w+$/.test(name),
    );
    const texts = files.map((name) => readFileSync(join(dist, name), 'utf8'));
    expect(texts.reduce((sum, text) => sum + gzipSync(text).length, 0)).toBeLessThan(120 * 1_024);
    const index = readFileSync(join(dist, 'index.html'), 'utf8');
    expect(index).not.toMatch(/(src|href)="(?!\.\/)|<style|<script(?![^>]*\ssrc=)|\son\w+=/);
    const addresses = texts.flatMap((text) => text.match(/https?:\/\/[\w.-]+/g) ?? []);
    expect(addresses.filter((address) => address !== 'http://www.w3.org')).toEqual([]);
  });

  looking('with data', {}, (board) => {
    it.each(places)(
      '%s shows "%s", without anything serious for axe, in both themes',
      async (place, shows) => {
        await board().open(place);
        await board().shows(shows);
        await board().theme('light');
        expect(await board().axe()).toEqual([]);
        await board().theme('dark');
        expect(await board().axe('color-contrast')).toEqual([]);
      },
    );

    it('fits each width from 360 px to 4K', async () => {
      for (const [place, shows] of places) {
        await board().open(place);
        await board().shows(shows);
        for (const width of [360, 768, 3_840, 1_280]) {
          await board().size(width);
          const wide = await board().page.evaluate(() => document.documentElement.scrollWidth);
          expect(`${place} ${wide}`).toBe(`${place} ${width}`);
        }
      }
    });
  });

  looking('without data', { empty: true }, (board) => {
    it.each(empty)('%s says "%s", without anything serious for axe', async (place, says) => {
      await board().open(place);
      await board().shows(says);
      expect(await board().axe()).toEqual([]);
    });
  });

  looking('to those who may only look', { acts: [] }, (board) => {
    it.each([...places.map(([place]) => place), dead])('%s offers nothing', async (place) => {
      await board().open(place);
      await board().page.waitForSelector('.row, .part, .journey, .empty');
      const names = await board().texts('button:not([disabled], .head button)');
      expect(
        names.filter((name) => /^(Pause|Resume|Prefetch|Replay|Edit|Drop|Publish|Call|Run)\b/.test(name)),
      ).toEqual([]);
      await board().shows('read-only');
    });
  });

  looking('with hostile texts', { change: (_: string, answer: unknown) => hostile(answer) }, (board) => {
    it.each(places.map(([place]) => place))('%s shows them as text', async (place) => {
      await board().open(place);
      await board().page.waitForSelector('.row, .part, .journey, .empty');
      if (place === 'tail') await board().click('Start');
      const row = await board().page.$('.rows .row, .part');
      await row?.click();
      await board().page.waitForFunction(() => document.body.innerText.includes('onerror='));
      expect(
        await board().page.$$('main img, main script, main [onload], main [onerror], a[href^="javascript"]'),
      ).toEqual([]);
      expect(await board().page.evaluate('typeof hacked')).toBe('undefined');
    });
  });
});

const attack = `<img src=x onerror="hacked=1"><script>hacked=1</script>"'><svg onload=hacked=1>javascript:hacked=1`;

/** Every text in an answer with the attack behind it, but for what is a word of the API itself. */
function hostile(value: unknown, name = ''): unknown {
  const words =
    /^(kind|state|type|purpose|why|tone|what|verdict|level|journal|breaker|act|result|text|token|version|acts|rights|reason|queue|group|key|id)$/;
  if (typeof value === 'string')
    return words.test(name) && !/^(text|reason)$/.test(name) ? value : `${value}${attack}`;
  if (Array.isArray(value)) return value.map((each) => hostile(each, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, hostile(each, key)]));
}
