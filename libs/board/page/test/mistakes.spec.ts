// The page of the board in Chromium when somebody presses twice, slips, or types what is wrong, and when the server refuses
// something or goes away meanwhile: with invented answers. What goes right is in page.spec.ts.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { handlerRequest } from '../../src/requests.js';
import { until } from '../../../../test/support/events.js';
import { type BoardPage, inChromium } from './chromium.js';
import { type Asked, type Fake, startFake } from './fake.js';

const dead = 'dead-letters/billing.invoices.dead';
const call = 'publish/Orders.place%20rpc%20calls%20orders.place';

const refuses =
  (status: number, body: object) =>
  (response: ServerResponse): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

const busy = { code: 'BUSY', message: 'a job of this queue is open already', help: 'stop it', issues: [] };

inChromium('the page of the board', (pages) => {
  let server: Fake;
  let board: BoardPage;

  const acts = (name: string): Asked[] => server.state.asked.filter(({ act }) => act === name);
  const value = (selector: string): Promise<string> =>
    board.page.$eval(selector, (field) => (field as HTMLTextAreaElement).value);
  const focused = (): Promise<string> =>
    board.page.evaluate(() => document.activeElement?.textContent ?? 'nothing');
  /** The message of the browser at the first wrong field. */
  const invalid = (): Promise<string> =>
    board.page.$eval('form :invalid', (field) => (field as HTMLInputElement).validationMessage);
  /** Holds acts back until it is called. */
  const hold = (): (() => void) => {
    let release = (): void => undefined;
    server.state.hold = new Promise((resolve) => (release = resolve));
    return () => release();
  };

  beforeEach(async () => {
    server = await startFake();
    board = await pages.open(server.url);
  });
  afterEach(async () => {
    await pages.leave();
    await server.close();
    expect(board.wrong).toEqual([]);
  });

  describe('sends once', () => {
    it('a message, with Enter held down and clicks', async () => {
      await board.open('publish/any');
      await board.fill('Routing key', 'order.placed');
      const release = hold();
      await board.press('Enter');
      await board.press('Enter');
      await board.page.waitForSelector('aside form [aria-busy=true]');
      await board.click('Publish', 'aside');
      await until(() => acts('publish').length > 0, 'the message');
      release();
      await board.shows('a queue got it');
      expect(acts('publish')).toHaveLength(1);
      expect(await focused()).toBe('Publish');
      await board.press('Enter');
      await until(() => acts('publish').length === 2, 'the second message, after the first');
    });

    it('a call, and says that it waits', async () => {
      await board.open(call);
      const release = hold();
      await board.click('Call', 'aside');
      await board.shows('Waiting for the answer, at most 30 s.');
      await board.click('Call', 'aside');
      release();
      await board.shows('Reply after 41 ms');
      await board.hides('Waiting for the answer');
      expect(acts('call')).toHaveLength(1);
    });

    it('a replay', async () => {
      await board.open(`${dead}/k7`);
      await board.click('Replay', 'aside');
      const release = hold();
      await board.click('Replay', 'dialog');
      await board.click('Replay', 'dialog');
      await until(() => acts('dead.replay').length > 0, 'the replay');
      release();
      await board.page.waitForSelector('dialog', { hidden: true });
      await board.shows('Replay of 1 has begun.');
      expect(acts('dead.replay')).toHaveLength(1);
    });

    it('an edit, forced or not', async () => {
      server.state.refuse = { ...busy, code: 'DOES_NOT_FIT', message: 'It does not fit.' };
      await board.open(`${dead}/k7`);
      await board.click('Edit', 'aside');
      await board.click('Replay edited', 'dialog');
      await board.shows('It does not fit.');
      server.state.refuse = undefined;
      const release = hold();
      await board.click('Replay although it does not fit', 'dialog');
      await board.click('Replay edited', 'dialog');
      await until(() => acts('dead.edit').length > 1, 'the edit');
      release();
      await board.shows('The edited message was replayed');
      expect(acts('dead.edit')).toHaveLength(2);
    });
  });

  describe('sends nothing that is shown as wrong', () => {
    it('a part of a payload that is no JSON', async () => {
      await board.open(call);
      await board.fill('lines', '[{ "sku": ');
      await board.shows('This is not JSON yet.');
      await board.click('Call', 'aside');
      expect(await invalid()).toBe('This is not JSON yet.');
      await board.fill('lines', '[]');
      await board.click('Call', 'aside');
      await board.shows('Reply after');
      expect(acts('call').map(({ request }) => request)).toMatchObject([{ payload: { lines: [] } }]);
    });

    it('a header without a colon', async () => {
      await board.open('publish/any');
      await board.fill('Routing key', 'order.placed');
      await board.fill('Headers', 'tenant acme\n');
      await board.click('Publish', 'aside');
      expect(await invalid()).toBe('One a line, as tenant: acme');
      await board.fill('Headers', 'tenant: acme\n');
      await board.click('Publish', 'aside');
      await board.shows('a queue got it');
      expect(acts('publish').map(({ request }) => request)).toMatchObject([{ headers: { tenant: 'acme' } }]);
    });

    it('a number of a replay, and says which', async () => {
      await board.open(dead);
      await board.click('TypeError Invoices.create 102');
      await board.click('Replay 102 of this group');
      await board.fill('At most per second', '0');
      await board.click('Replay', 'dialog');
      expect(await invalid()).toBe('A whole number from 1 to 10000.');
      expect(acts('dead.replay')).toEqual([]);
    });
  });

  describe('keeps what was typed', () => {
    const changed = '{ "total": 1 }';

    it('in a changed body, until somebody agrees that it is lost', async () => {
      const asked: string[] = [];
      let agree = false;
      board.page.removeAllListeners('dialog').on('dialog', (dialog) => {
        asked.push(dialog.message());
        void (agree ? dialog.accept() : dialog.dismiss());
      });
      await board.open(`${dead}/k7`);
      await board.click('Edit', 'aside');
      await board.fill('Body', changed);
      await board.page.mouse.click(5, 5);
      await board.press('Escape');
      await board.press('Escape');
      await board.click('Cancel', 'dialog');
      await board.click('Close', 'dialog');
      expect(await value('dialog[open] textarea')).toBe(changed);
      expect(asked).toEqual(Array(4).fill('Close it? What you have changed is lost.'));
      // With the focus nowhere, the browser closes a dialog in the end, whatever the page says.
      await board.page.evaluate(() => (document.activeElement as HTMLElement).blur());
      for (let times = 5; times <= 10; times++) {
        await board.press('Escape');
        await until(() => asked.length === times, 'one question');
      }
      expect(await value('dialog[open] textarea')).toBe(changed);
      agree = true;
      await board.press('Escape');
      await board.page.waitForSelector('dialog', { hidden: true });
    });

    it('of a message to publish, when Esc is pressed in a field and when another row is opened', async () => {
      await board.open('publish/any');
      await board.fill('Payload', changed);
      await board.press('Escape');
      expect(await value('aside textarea')).toBe(changed);
      await board.click('Close (Esc)', 'aside');
      await board.page.waitForSelector('aside', { hidden: true });
      await board.page.click('.all .row');
      await board.page.waitForSelector('aside');
      await board.click('To any exchange');
      await board.page.waitForSelector('aside[aria-label="To any exchange"]');
      expect(await value('aside textarea')).toBe(changed);
    });

    it('a click beside a dialog closes it where nothing is typed in it', async () => {
      await board.open('handlers');
      await board.shows('Orders.place');
      await board.press('?');
      await board.page.waitForSelector('dialog[open]');
      await board.page.mouse.click(5, 5);
      await board.page.waitForSelector('dialog', { hidden: true });
    });
  });

  it('goes on with the arrows from the row that was opened last', async () => {
    await board.open('handlers');
    await board.shows('Orders.place');
    const names = await board.texts('.rows .row strong');
    for (const [index, name] of names.slice(0, 3).entries()) {
      await board.press('ArrowDown');
      await board.page.waitForFunction(
        (row) => document.activeElement?.getAttribute('aria-rowindex') === row,
        {},
        String(index + 2),
      );
      await board.press('Enter');
      await board.page.waitForSelector(`aside[aria-label="${name}"]`);
      // What ends the pane of before runs after a frame.
      await board.page.evaluate(async () => {
        for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
      });
    }
    await board.press('Escape');
    await board.page.waitForSelector('aside', { hidden: true });
    await board.page.waitForFunction(() => document.activeElement?.getAttribute('aria-rowindex') === '4');
  });

  describe('says why it failed', () => {
    it('in the dialog, where it can be seen and closed', async () => {
      server.state.refuse = busy;
      await board.open(`${dead}/k7`);
      await board.click('Replay', 'aside');
      await board.click('Replay', 'dialog');
      await board.shows(busy.message);
      expect(await board.axe()).toEqual([]);
      expect(
        await board.page.$$eval('.notice', (all) =>
          all.map((notice) => {
            const { left, top, width, height } = notice.getBoundingClientRect();
            return notice.contains(document.elementFromPoint(left + width / 2, top + height / 2));
          }),
        ),
      ).toContain(true);
      await board.click('Close', 'dialog .notice');
      await board.hides(busy.message);
      expect(await board.page.$('dialog[open]')).not.toBeNull();
    });

    it.each<[string, (response: ServerResponse) => void]>([
      ['no answer', (response) => void response.destroy()],
      ['the answer of a proxy', (response) => void response.writeHead(504).end('Gateway Timeout')],
      [
        'an answer that is cut',
        (response) => void response.writeHead(200).write('{', () => response.destroy()),
      ],
    ])('and that an act may have been done: %s', async (_, answer) => {
      server.state.instead['acts/publish'] = answer;
      await board.open('publish/any');
      await board.fill('Routing key', 'order.placed');
      await board.click('Publish', 'aside');
      await board.shows('It may have been done or not: look before you do it again.');
      await board.hides('asks again by itself');
    });

    it('for a message that is larger than the parser of the application accepts', async () => {
      server.state.instead['acts/publish'] = refuses(413, {
        statusCode: 413,
        message: 'request entity too large',
        error: 'Payload Too Large',
      });
      await board.open('publish/any');
      await board.fill('Routing key', 'order.placed');
      await board.click('Publish', 'aside');
      await board.shows('It is larger than the application accepts.');
      await board.shows('docs/board.md says how to raise it');
      await board.hides('It may have been done');
    });

    it.each<[string, (response: ServerResponse) => void, string]>([
      ['a session that has ended', refuses(401, {}), 'You are not signed in. Reload the page.'],
      ['too many readers', refuses(429, { error: { ...busy, message: 'too many look' } }), 'too many look'],
      [
        'a page to sign in',
        (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Sign in'),
        'not as a board does',
      ],
    ])('for %s, when nothing is live any more', async (_, answer, text) => {
      await board.open('handlers');
      await board.shows('connected');
      server.state.instead.live = answer;
      server.cut();
      await board.shows('not live');
      await board.shows(text);
      await board.hides('application away');
      delete server.state.instead.live;
      await board.hides('not live');
      await board.shows('connected');
    });

    it('for a tail that is refused', async () => {
      server.state.instead.tail = refuses(429, { error: { ...busy, message: 'too many tails' } });
      await board.open('tail');
      await board.click('Start');
      await board.shows('too many tails');
      delete server.state.instead.tail;
      await board.click('Start');
      await board.shows('order.placed');
      await board.hides('too many tails');
    });
  });

  it('gives the focus back when a dialog closes', async () => {
    await board.open(`${dead}/k7`);
    await board.click('Edit', 'aside');
    await board.press('Escape');
    await board.page.waitForSelector('dialog', { hidden: true });
    expect(await focused()).toBe('Edit');
  });

  it('names rates that the server takes', async () => {
    await board.open('handlers/shop/Orders.place');
    await board.click('Rate limit', 'aside');
    await board.page.waitForSelector('dialog .hint');
    const examples = (await board.texts('dialog .hint')).join().match(/\d+\/\w+/g) ?? [];
    expect(examples).toHaveLength(2);
    for (const rate of examples)
      expect(handlerRequest('handler.rate', { handler: 'Orders.place', value: rate }).change).toEqual({
        rate,
      });
  });
});
