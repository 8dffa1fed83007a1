// The page of the board in Chromium, with invented answers: acts, keys, filters, many rows, a server that goes away. All views
// are in views.spec.ts, what the page shows of real messages in real.spec.ts.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type BoardPage, inChromium } from './chromium.js';
import { type Fake, startFake } from './fake.js';
import { until } from '../../../../test/support/events.js';

const dead = 'dead-letters/billing.invoices.dead';

inChromium('the page of the board', (pages) => {
  let server: Fake;
  let board: BoardPage;

  const start = async (options: Parameters<typeof startFake>[0] = {}): Promise<void> => {
    await pages.leave();
    await server?.close();
    server = await startFake(options);
    board = await pages.open(server.url);
  };
  const asked = async (act: string): Promise<unknown> =>
    (await until(() => server.state.asked.findLast((each) => each.act === act), act)).request;

  beforeEach(() => start());
  afterEach(async () => {
    await pages.leave();
    await server.close();
    expect(board.wrong).toEqual([]);
  });

  it('is used with keys', async () => {
    await board.open('handlers');
    await board.shows('Orders.place');
    await board.press('ArrowDown');
    await board.press('ArrowDown');
    await board.press('Enter');
    await board.page.waitForSelector('aside[aria-label="Orders.cancel"]');
    await board.press('Escape');
    await board.page.waitForSelector('aside', { hidden: true });
    await board.press('?');
    await board.page.waitForSelector('dialog[open]');
    await board.press('Escape');
    await board.page.waitForSelector('dialog', { hidden: true });
    await board.press('/');
    await board.page.keyboard.type('stock.l');
    await board.hides('Orders.place');
    expect(await board.texts('.rows .row strong')).toEqual(['Stock.lowLevels']);
    await board.press('Escape');
    await board.shows('Orders.place');
    await board.press('Escape');
    await board.press('g');
    await board.press('d');
    await board.shows('billing.invoices.dead');
    expect(await board.texts('h1')).toEqual(['Dead letters']);
  });

  it('changes a handler, and says what it did', async () => {
    await board.open('handlers/shop/Orders.place');
    await board.click('Pause', 'aside');
    await board.shows('Orders.place is paused.');
    expect(await asked('handler.pause')).toEqual({ handler: 'Orders.place' });
    await board.click('Resume', 'aside');
    await board.shows('Orders.place consumes again.');
    for (const [button, act, typed, value] of [
      ['Prefetch', 'handler.prefetch', '50', 50],
      ['Concurrency', 'handler.concurrency', '5', 5],
      ['Rate limit', 'handler.rate', '100/s', '100/s'],
    ] as const) {
      await board.click(button, 'aside');
      await board.fill(button, typed);
      await board.click('Set', 'dialog');
      await board.shows(`${button} of Orders.place is ${typed} now.`);
      expect(await asked(act)).toEqual({ handler: 'Orders.place', value });
    }
    expect(server.state.asked.every(({ token }) => token === 'token')).toBe(true);
  });

  it('replays the first five of a group, then the rest at a rate', async () => {
    await board.open(dead);
    await board.click('TypeError Invoices.create 102');
    await board.click('Replay 102 of this group');
    await board.fill('At most per second', '50');
    await board.click('Replay', 'dialog');
    await board.shows('waits for you');
    const select = { group: 'g1' };
    expect(await asked('dead.replay')).toEqual({
      queue: 'billing.invoices.dead',
      select,
      first: 5,
      rate: 50,
    });
    await board.click('Replay the rest');
    await board.shows('102 of 102');
    expect(await asked('job.continue')).toEqual({ job: 'job-1' });
  });

  it('says that there may be more of a group than were read', async () => {
    const change = (name: string, answer: { reading?: object }) =>
      name === dead ? { ...answer, reading: { ...answer.reading, messages: 10_000, read: 940 } } : answer;
    await start({ change });
    await board.open(dead);
    await board.shows('Replay 10,000 of the queue');
    await board.click('TypeError Invoices.create 102');
    await board.click('Replay 102+ of this group');
    await board.shows('Replay 102 of this group among the first 940, and all further back');
    await board.click('Cancel', 'dialog');
    await board.click('Drop', '.chosen');
    await board.shows('Drop 102 of this group among the first 940, and all further back');
  });

  it('acts on what is listed, not on what is typed meanwhile', async () => {
    await board.open(dead);
    await board.shows('Replay 940 of the queue');
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    await board.page.setRequestInterception(true);
    board.page.on('request', (request) => {
      if (request.url().includes('text=')) void held.then(() => request.continue());
      else void request.continue();
    });
    const asks = board.page.waitForRequest((request) => request.url().includes('text='));
    await board.press('/');
    await board.page.keyboard.type('order.placed');
    await asks;
    await board.click('Replay 940 of the queue');
    answer();
    await board.click('Replay', 'dialog');
    expect(await asked('dead.replay')).toMatchObject({ select: { all: true } });
    expect(await asked('dead.replay')).not.toHaveProperty('select.text');
    board.page.removeAllListeners('request');
    await board.page.setRequestInterception(false);
  });

  it.each([
    ['handlers', 'Orders.place'],
    [dead, '940 letters'],
    ['history', 'Replay the rest'],
  ])('shows what its search says, after Back in %s too', async (place, shows) => {
    await board.open(place);
    await board.shows(shows);
    await board.page.click('.all .row');
    await board.page.waitForSelector('aside');
    await board.press('/');
    await board.page.keyboard.type('no such thing');
    await board.shows(place === dead ? '0 letters' : 'matches');
    await board.page.goBack();
    await board.shows(shows);
    expect(await board.page.$eval('input[type=search]', (input) => input.value)).toBe('');
  });

  it('reads no queue again by itself', async () => {
    const count: Record<string, number> = {};
    await start({
      change: (name: string, answer: unknown) => {
        count[name] = (count[name] ?? 0) + 1;
        return answer;
      },
    });
    await board.open(`${dead}/k7`);
    await board.shows('order-1007');
    await board.shows('connected');
    const before = { ...count };
    server.cut();
    await until(() => (count.jobs ?? 0) > (before.jobs ?? 0), 'the page to be up to date again');
    // A job changes after its end too, when messages are handled that it has sent.
    const job = {
      id: 'job-9',
      queue: 'billing.invoices.dead',
      act: 'dead.replay',
      state: 'running',
      endedAt: null,
    };
    server.tell('job', job);
    for (let n = 0; n < 5; n++) server.tell('job', { ...job, state: 'done', endedAt: Date.now() });
    await until(() => count[dead] === before[dead] + 1, 'one more list, since a job is over');
    const { jobs } = count;
    server.tell('job', { ...job, queue: 'another' });
    await until(() => count.jobs > jobs, 'what follows');
    expect(count).toMatchObject({ [dead]: before[dead] + 1, [`${dead}/letters/k7`]: 1 });
  });

  it('asks twice a second at most, however much happens', async () => {
    let count = 0;
    await start({
      change: (name: string, answer: unknown) => {
        if (name === 'handlers') count++;
        return answer;
      },
    });
    await board.open('handlers');
    await board.shows('Orders.place');
    const [began, before] = [performance.now(), count];
    for (let n = 0; n < 40; n++) {
      server.tell('event', {});
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    await until(() => count > before, 'the answer after them');
    expect(count - before).toBeLessThanOrEqual(Math.ceil((performance.now() - began) / 500) + 1);
  });

  it('replays, and drops with a copy, what is marked', async () => {
    await board.open(dead);
    await board.page.waitForSelector('.all .mark input');
    for (const row of [2, 3]) await board.page.click(`[aria-rowindex="${row}"] input`);
    await board.click('Replay 2 marked');
    await board.click('Replay', 'dialog');
    await board.shows('Replay of 2 has begun.');
    expect(await asked('dead.replay')).toEqual({
      queue: 'billing.invoices.dead',
      select: { keys: ['k0', 'k1'] },
    });
    await board.shows('938 letters');
    await board.page.click('[aria-rowindex="2"] input');
    await board.click('Drop', '.chosen');
    await board.click('Drop', 'dialog');
    await board.shows('1 dropped, saved as dropped-1.ndjson.');
    expect(await asked('dead.drop')).toMatchObject({ select: { keys: ['k2'] }, save: 'server' });
  });

  it('edits a dead letter, shows what does not fit, and forces it only when asked', async () => {
    server.state.refuse = {
      code: 'DOES_NOT_FIT',
      message: 'It does not fit.',
      help: '',
      issues: [{ path: 'total', message: 'must be positive' }],
    };
    await board.open(`${dead}/k7`);
    await board.click('Edit', 'aside');
    await board.shows('None yet');
    await board.fill('Body', '{ "total": -1');
    await board.shows('Not JSON');
    await board.fill('Body', '{ "total": -1 }');
    expect(await board.texts('dialog ins')).toEqual(['+ { "total": -1 }']);
    expect(await board.texts('dialog del')).toContain('-   "total": 25');
    expect(await board.axe()).toEqual([]);
    await board.click('Replay edited', 'dialog');
    await board.shows('must be positive');
    server.state.refuse = undefined;
    await board.click('Replay although it does not fit', 'dialog');
    await board.shows('The edited message was replayed');
    const request = { queue: 'billing.invoices.dead', key: 'k7', body: '{ "total": -1 }' };
    expect(await asked('dead.edit')).toEqual({ ...request, force: true });
  });

  it('sends the lines of an edited text as they ended', async () => {
    const change = (name: string, answer: { body?: object }) =>
      name.includes('/letters/')
        ? { ...answer, body: { ...answer.body, kind: 'text', text: 'a;1\r\nb;2\r\n' } }
        : answer;
    await start({ change });
    await board.open(`${dead}/k7`);
    await board.click('Edit', 'aside');
    await board.shows('None yet');
    await board.page.focus('dialog textarea');
    await board.page.keyboard.down('Control');
    await board.press('End');
    await board.page.keyboard.up('Control');
    await board.page.keyboard.type('c;3');
    expect(await board.texts('dialog ins')).toEqual(['+ c;3']);
    await board.click('Replay edited', 'dialog');
    expect(await asked('dead.edit')).toMatchObject({ body: 'a;1\r\nb;2\r\nc;3' });
  });

  it('runs a waiting message now, where this process holds it', async () => {
    await board.open('waiting');
    await board.click('delay 1 min shop ?');
    await board.page.click('.all .row');
    await board.click('Run now', 'aside');
    await board.shows('It is on its way.');
    const { queue, key } = (await asked('waiting.run-now')) as Record<string, string>;
    expect([queue, key]).toEqual(['warren.wait.shop.60s', expect.stringMatching(/^w\d+$/)]);
    await board.shows('waits no more');
    await board.click('retry 5 s billing 38');
    await board.page.click('.all .row');
    await board.shows('its own board can run it');
    expect(await board.page.$eval('aside .main', (button) => (button as HTMLButtonElement).disabled)).toBe(
      true,
    );
    expect(await board.axe()).toEqual([]);
  });

  it('publishes, and calls with a form of the schema', async () => {
    await board.open('publish/any');
    await board.fill('Exchange', 'events');
    await board.fill('Routing key', 'order.placed');
    await board.fill('Payload', '{"id":1}');
    await board.fill('Headers', 'tenant: acme');
    await board.click('Publish', 'aside');
    await board.shows('a queue got it');
    const sent = {
      exchange: 'events',
      routingKey: 'order.placed',
      payload: { id: 1 },
      headers: { tenant: 'acme' },
    };
    expect(await asked('publish')).toEqual(sent);
    await board.open('publish/Orders.place%20rpc%20calls%20orders.place');
    await board.fill('id', 'order-7');
    await board.fill('total', '12.5');
    await board.click('Call', 'aside');
    await board.shows('Reply after 41 ms');
    expect(await asked('call')).toMatchObject({
      pattern: 'orders.place',
      payload: { id: 'order-7', total: 12.5, express: false, country: 'GB' },
    });
  });

  it('shows messages as they pass, and stops', async () => {
    await board.open('tail');
    await board.click('Start');
    await board.shows('order.placed');
    await board.click('Stop');
    await board.page.click('.all .row');
    await board.page.waitForSelector('aside pre');
  });

  it('pauses a handler of another service in all instances, where the server can', async () => {
    await board.open('handlers/mail/Mails.confirmation');
    await board.shows('Instances (2)');
    expect(await board.texts('aside .actions .button')).toEqual([]);
    await board.open('handlers/billing/Payments.settle');
    await board.click('Pause', 'aside');
    await board.shows('In all instances of billing');
    expect(await board.axe()).toEqual([]);
    await board.click('Pause', 'dialog');
    await board.shows(
      'Payments.settle is paused in 1 instance. node-2, process 4002: not in force within 3000 ms.',
    );
    const request = { handler: 'Payments.settle', everywhere: true, service: 'billing' };
    expect(await asked('handler.pause')).toEqual(request);
    await board.shows('paused in all instances');
    await board.click('Resume', 'aside');
    await board.click('Resume', 'dialog');
    await board.shows('Payments.settle consumes again');
    expect(await asked('handler.resume')).toEqual(request);
    await board.click('Rate limit', 'aside');
    await board.fill('Rate limit', '20/s');
    await board.click('Set', 'dialog');
    await board.shows('Rate limit of Payments.settle is 20/s now in 1 instance.');
    expect(await asked('handler.rate')).toEqual({ ...request, value: '20/s' });
  });

  it('says that the application is away, and shows what changed when it is back', async () => {
    await board.open('handlers');
    await board.shows('connected');
    server.state.away = true;
    server.state.paused.add('Orders.place');
    server.cut();
    await board.shows('broker away');
    await board.page.waitForFunction(() => document.querySelector('.row .warn')?.textContent === 'paused');
    server.state.failing = 502;
    server.cut();
    await board.shows('application away');
    server.state.failing = undefined;
    await board.hides('application away');
  });

  it('says why something could not be loaded, and keeps what it had', async () => {
    await board.open('handlers');
    await board.shows('Orders.place');
    server.state.failing = 502;
    server.tell('event', {});
    await board.shows('Not up to date: The broker cannot be reached.');
    await board.shows('Orders.place');
    await board.press('g');
    await board.press('w');
    await board.shows('This could not be loaded');
    server.state.failing = undefined;
    await board.click('Try again');
    await board.shows('billing.invoices.retry.5s');
  });

  it('shows ten thousand rows with few elements', async () => {
    await start({ many: 10_000 });
    await board.open('handlers');
    await board.shows('10,008');
    const elements = (): Promise<number> => board.page.$$eval('*', (all) => all.length);
    expect(await elements()).toBeLessThan(1_500);
    await board.press('ArrowDown');
    await board.press('End');
    await board.shows('Generated.handler9999');
    expect(await board.page.evaluate(() => document.activeElement?.getAttribute('aria-rowindex'))).toBe(
      '10009',
    );
    expect(await elements()).toBeLessThan(1_500);
  });

  it('draws only what is in sight of ten thousand parts', async () => {
    await start({ many: 5_000 });
    await board.open('topology/queue%20tenant-2500.orders');
    const elements = (): Promise<number> => board.page.$$eval('*', (all) => all.length);
    const inSight = (name: string): Promise<unknown> =>
      board.page.waitForFunction(
        (wanted) => {
          const part = [...document.querySelectorAll('.part')].find(
            (each) => each.querySelector('.name')?.textContent === wanted,
          );
          const { top, bottom } = part?.getBoundingClientRect() ?? { top: -1, bottom: 0 };
          return top >= 0 && bottom <= innerHeight;
        },
        {},
        name,
      );
    const scroll = (part: number): Promise<void> =>
      board.page.$eval('.scroll', (box, to) => void (box.scrollTop = to * box.scrollHeight), part);
    for (const name of ['tenant-2500.orders', 'shop Tenants.orders2500', 'events']) await inSight(name);
    await board.shows('tenant-2500.order.#');
    expect(await elements()).toBeLessThan(1_000);
    await scroll(0);
    for (const name of ['billing.invoices', 'billing Invoices.create', 'events']) await inSight(name);
    await scroll(1);
    for (const name of ['mail.newsletter', 'mail Mails.newsletter', 'events']) await inSight(name);
    expect(await elements()).toBeLessThan(1_000);
    await board.press('/');
    await board.page.keyboard.type('tenant-77.');
    await inSight('tenant-77.orders');
    await board.hides('tenant-99.orders');
  });

  it('shows who did what and when, what was not done too, and finds it', async () => {
    const acts = (): Promise<string[]> => board.texts('.rows .row strong');
    await board.open('handlers');
    await board.shows('Orders.place');
    server.state.failing = 502;
    await board.open('history');
    await board.shows('This could not be loaded');
    server.state.failing = undefined;
    await board.click('Try again');
    await board.shows('Replay the rest');
    expect(await acts()).toHaveLength(10);
    server.state.asked.push({
      act: 'handler.resume',
      request: { handler: 'Orders.place' },
      token: 'token',
      at: Date.now(),
    });
    server.tell('audit', {});
    await board.shows('Resume a handler');
    await board.click('Not done');
    await board.hides('Resume a handler');
    expect(await acts()).toEqual(['Pause a handler', 'Call']);
    await board.page.select('select[aria-label=Who]', 'grace');
    await board.hides('Pause a handler');
    expect(await acts()).toEqual(['Call']);
    await board.click('All');
    await board.press('/');
    await board.page.keyboard.type('cancel rate');
    await board.page.waitForFunction(() => document.querySelectorAll('.all .row').length === 1);
    await board.page.click('.all .row');
    await board.shows('What came of it');
    expect(await board.texts('aside .content')).toEqual([expect.stringContaining('rate: 100/s')]);
    await board.click('Handler', 'aside');
    await board.shows('Handled per second');
    await board.load('history?who=linus');
    await board.shows('1 of 11');
  });

  it('keeps the theme and the time zone that were chosen', async () => {
    await board.load('dead-letters/billing.invoices.dead/k7');
    await board.page.emulateTimezone('Asia/Tokyo');
    await board.load('dead-letters/billing.invoices.dead/k7');
    await board.click('Tokyo', 'header');
    await board.shows('UTC');
    await board.click('Theme: auto');
    await board.click('Theme: light');
    await board.load('handlers');
    await board.shows('UTC');
    expect(await board.page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
  });
});
