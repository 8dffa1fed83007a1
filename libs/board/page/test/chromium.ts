// The page of the board in a real Chromium: one browser and one tab for a file of tests, with what went wrong in it, and the
// questions that tests ask it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import type { Browser, Page } from 'puppeteer-core';
import { chromiumProgram, launchChromium } from '../../../../tools/chromium.mjs';
import { PATIENCE } from '../../../../test/support/events.js';

const root = process.cwd();

/** What a test does with the page. */
export class BoardPage {
  /** Errors of scripts, and what the content security policy refused. */
  readonly wrong: string[] = [];
  private loaded = false;

  constructor(
    readonly page: Page,
    private readonly url: string,
  ) {
    page.setDefaultTimeout(PATIENCE);
    page.removeAllListeners('pageerror').removeAllListeners('console');
    page.on('pageerror', (error) => this.wrong.push(String(error)));
    page.on('console', (message) => {
      // A refused request is said by the browser itself.
      if (message.type() === 'error' && !/Failed to load resource|ERR_|MIME type/.test(message.text()))
        this.wrong.push(message.text());
    });
  }

  /** Goes to a place, `handlers/shop/Orders.place`: as a link does where the page is loaded already. */
  async open(place = ''): Promise<void> {
    if (this.loaded) await this.page.evaluate(follow, `#/${place}`);
    else await this.load(place);
  }

  /** Loads the page at a place. */
  async load(place = ''): Promise<void> {
    // A change of the hash alone would load nothing.
    await this.page.goto('about:blank');
    await this.page.goto(`${this.url}#/${place}`, { waitUntil: 'domcontentloaded' });
    await this.page.waitForSelector('h1');
    this.loaded = true;
  }

  /** Waits until the page shows this text somewhere. */
  async shows(text: string): Promise<void> {
    await this.seen(`"${text}"`, (wanted) => document.body.innerText.includes(wanted), text);
  }

  /** Waits until it does not. */
  async hides(text: string): Promise<void> {
    await this.seen(`no "${text}"`, (gone) => !document.body.innerText.includes(gone), text);
  }

  /** An error says what was seen instead. */
  private async seen(what: string, condition: (text: string) => boolean, text: string): Promise<void> {
    await this.page.waitForFunction(condition, {}, text).catch(async () => {
      const shown = await this.page.evaluate(() => document.body.innerText);
      throw new Error(`Waited in vain for ${what}. The page showed:\n${shown}`);
    });
  }

  /** Clicks the button or link with this name, in `within`. */
  async click(name: string, within = 'body'): Promise<void> {
    const find = (scope: string, wanted: string): HTMLElement | undefined => {
      const all = [...document.querySelectorAll<HTMLElement>(`${scope} :is(button, a, [role=row])`)];
      return all.find((each) =>
        [each.innerText.trim().replace(/\s+/g, ' '), each.getAttribute('aria-label')].includes(wanted),
      );
    };
    const handle = await this.page.waitForFunction(find, {}, within, name);
    await (handle.asElement() as unknown as { click(): Promise<void> }).click();
  }

  /** Puts a text into the field with this label. */
  async fill(label: string, text: string): Promise<void> {
    const find = (wanted: string): Element | null | undefined => {
      const named = [...document.querySelectorAll('label')].find(
        (each) => each.innerText.startsWith(wanted) && each.checkVisibility(),
      );
      return named && document.getElementById(named.htmlFor);
    };
    const handle = await this.page.waitForFunction(find, {}, label);
    const field = handle.asElement() as unknown as {
      evaluate(act: (field: HTMLInputElement) => void): Promise<void>;
      type(text: string): Promise<void>;
    };
    await field.evaluate((input) => {
      input.focus();
      input.select();
    });
    await this.page.keyboard.press('Delete');
    await this.page.keyboard.sendCharacter(text);
  }

  press(key: Parameters<Page['keyboard']['press']>[0]): Promise<void> {
    return this.page.keyboard.press(key);
  }

  /** The text of what an expression of CSS finds. */
  texts(selector: string): Promise<string[]> {
    return this.page.$$eval(selector, (all) => all.map((each) => (each as HTMLElement).innerText));
  }

  /** What axe finds that is serious, as sentences. `only`: one of its rules. */
  async axe(only?: string): Promise<string[]> {
    if ((await this.page.evaluate('typeof axe')) === 'undefined') await this.page.evaluate(axeSource);
    const found = (await this.page.evaluate(
      `axe.run(document, ${JSON.stringify({ resultTypes: ['violations'], ...(only && { runOnly: [only] }) })}).then(({ violations }) => violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, nodes }) => nodes.slice(0, 4).map(({ html, failureSummary }) => id + ': ' + html.slice(0, 160) + ' ' + failureSummary.slice(0, 200))))`,
    )) as string[];
    return found;
  }

  async size(width: number, height = 800): Promise<void> {
    await this.page.setViewport({ width, height });
  }

  async theme(theme: 'light' | 'dark'): Promise<void> {
    await this.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  }
}

/** Runs in the page: resolves when another place is drawn, so that nothing of the one before is taken for it. */
async function follow(hash: string): Promise<void> {
  if (location.hash === hash) return;
  const changed = new Promise((resolve) => addEventListener('hashchange', resolve, { once: true }));
  location.hash = hash;
  await changed;
  for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame);
}

const axeSource = readFileSync(
  createRequire(join(root, 'package.json')).resolve('axe-core/axe.min.js'),
  'utf8',
);

/** The tab of a file of tests. */
export interface Pages {
  /** The page at this address, not loaded yet, at its usual size. */
  open(url: string): Promise<BoardPage>;
  /** Leaves it: streams of a page would keep a server from closing. */
  leave(): Promise<void>;
}

/** Registers tests with a browser; without Chromium there are none, and `npm test` says why. */
export function inChromium(title: string, body: (pages: Pages) => void): void {
  const registered = chromiumProgram() === undefined ? describe.skip : describe;
  registered(title, () => {
    let browser: Browser;
    let page: Page;
    beforeAll(async () => {
      execFileSync(process.execPath, [join(root, 'tools', 'board-page.mjs'), '--if-needed']);
      browser = await launchChromium();
      [page] = await browser.pages();
    });
    afterAll(() => browser?.close());
    const leave = async (): Promise<void> => void (await page.goto('about:blank'));
    body({
      leave,
      async open(url) {
        const board = new BoardPage(page, url);
        await board.size(1_280);
        await page.emulateMediaFeatures([]);
        await page.emulateTimezone();
        return board;
      },
    });
  });
}
