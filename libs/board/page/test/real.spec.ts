// The page of the board before a real server: what it shows of real messages, and acts that are really done.
import { afterEach, expect, it } from '@jest/globals';
import { Injectable, type ModuleMetadata } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BoardModule, type BoardModuleOptions } from '@warren/board';
import {
  type Broker,
  getBrokerToken,
  journal,
  RabbitContext,
  RabbitModule,
  RpcHandler,
  Subscribe,
} from '@warren/nestjs';
import { z } from 'zod';
import { board, type BoardClient } from '../../../../test/support/board.js';
import { onEmbedded } from '../../../../test/support/brokers.js';
import { until } from '../../../../test/support/events.js';
import { inChromium } from './chromium.js';

const Order = z.object({ id: z.number(), sku: z.string().min(1) });
const attack = `<img src=x onerror="hacked=1"><script>hacked=1</script>`;
const handled: unknown[] = [];

@Injectable()
class Orders {
  @Subscribe('order.#', { queue: 'p.orders', schema: Order, retry: false })
  place(@Payload() order: { id: number }, @Ctx() _context: RabbitContext): void {
    if (order.id < 0) throw new Error(`the bank said ${attack}`);
    handled.push(order);
  }

  @RpcHandler('p.price')
  price(): number {
    return 7;
  }
}

onEmbedded('a board', (broker) => {
  const start = (options: BoardModuleOptions): Promise<BoardClient> => {
    const rabbit = RabbitModule.forRoot({
      url: broker.url,
      service: 'p.shop',
      fleet: true,
      plugins: [journal()],
    });
    const metadata: ModuleMetadata = { imports: [rabbit, BoardModule.forRoot(options)], providers: [Orders] };
    return board(metadata);
  };

  inChromium('with its page', (pages) => {
    afterEach(() => pages.leave());

    it('shows what failed, edits it by its schema, replays it, and drops the rest', async () => {
      const client = await start({
        access: () => ({ who: 'ada', rights: ['look', 'replay', 'edit', 'control'] }),
      });
      const rabbit = client.app.get<Broker>(getBrokerToken());
      const key = `order.${attack}`;
      await rabbit.publish(key, { id: -1, sku: attack }, { headers: { [`x ${attack}`]: attack } });
      await rabbit.publish('order.created', { id: -2, sku: 'a' });
      const page = await pages.open(client.url);
      await page.open('dead-letters');
      await page.shows('p.orders.dead');
      await page.open('dead-letters/p.orders.dead');
      await page.shows('2 letters');
      const [first] = await page.page.$$('.all .row');
      await first.click();
      await page.shows('onerror=');
      expect(await page.page.$$('main img, main script')).toEqual([]);
      await page.click('Edit', 'aside');
      await page.fill('Body', '{ "id": 1, "sku": "" }');
      await page.click('Replay edited', 'dialog');
      await page.page.waitForSelector('dialog .issues li');
      await page.fill('Body', '{ "id": 41, "sku": "b" }');
      await page.click('Replay edited', 'dialog');
      await page.shows('The edited message was replayed');
      await until(() => handled.some((each) => (each as { id: number }).id === 41), 'the edited message');
      await page.shows('1 letter');
      await page.click('Drop', '.chosen');
      await page.fill('Type p.orders.dead', 'p.orders.dead');
      await page.click('Drop', 'dialog');
      await page.shows('No dead letters');
      expect(await page.page.evaluate('typeof hacked')).toBe('undefined');
      expect(page.wrong).toEqual([]);
    });

    it('publishes, calls, and shows each view', async () => {
      const client = await start({ access: () => ['look', 'replay', 'edit', 'control'] });
      const page = await pages.open(client.url);
      await page.open('publish/any');
      await page.fill('Exchange', 'events');
      await page.fill('Routing key', 'order.created');
      await page.fill('Payload', '{ "id": 43, "sku": "c" }');
      await page.click('Publish', 'aside');
      await page.shows('a queue got it');
      await page.click((await page.texts('aside p a'))[0], 'aside');
      await page.shows('Orders.place');
      await page.shows('handled');
      await page.open('publish');
      await page.shows('Orders.price');
      const rows = await page.texts('.all .row');
      await (await page.page.$$('.all .row'))[rows.findIndex((row) => row.includes('Orders.price'))].click();
      await page.click('Call', 'aside');
      await page.shows('Reply after');
      const rabbit = client.app.get<Broker>(getBrokerToken());
      await rabbit.publish('order.created', { id: 45, sku: 'e' }, { delay: '1m' });
      await page.open('waiting');
      await page.page.waitForSelector('.all .row');
      await page.page.click('.all .row');
      await page.click('Run now', 'aside');
      await page.shows('It is on its way.');
      await until(() => handled.some((each) => (each as { id: number }).id === 45), 'the delayed message');
      for (const [view, shows] of [
        ['services', 'p.shop'],
        ['handlers', 'Orders.place'],
        ['waiting', 'Nothing waits'],
        ['calls', 'No call waits'],
        ['topology', 'p.orders'],
        ['history', 'Run a waiting message now'],
      ]) {
        await page.open(view);
        await page.shows(shows);
      }
      expect(page.wrong).toEqual([]);
    });

    it('follows the broker when it goes and comes back, and shows only what one may', async () => {
      const client = await start({ access: () => ['look'] });
      const page = await pages.open(client.url);
      await page.open('handlers/p.shop/Orders.place');
      await page.shows('connected');
      await page.shows('read-only');
      expect(await page.texts('aside .actions .button')).toEqual([]);
      await page.open('tail');
      await page.click('Start');
      await page.shows('Nothing has passed yet');
      await broker.closeConnections();
      await page.shows('the connection was lost: ');
      await page.shows('connected');
      await page.click('Start');
      await page.shows('Nothing has passed yet');
      const rabbit = client.app.get<Broker>(getBrokerToken());
      await rabbit.publish('order.created', { id: 44, sku: 'd' });
      await page.shows('order.created');
      expect(page.wrong).toEqual([]);
    });
  });
});
