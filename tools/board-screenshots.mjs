// `node tools/board-screenshots.mjs`: writes the pictures of docs/board.md, of the page with invented answers. Needs Chromium.
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchChromium } from './chromium.mjs';
import { fail, root, runNode } from './run.mjs';

const folder = join(root, 'docs', 'board');

/** Of a picture, in bytes: they are in the repository. */
const MOST = 100_000;

/** @type {[name: string, place: string, theme: 'light' | 'dark', shows: string][]} */
const pictures = [
  ['handlers', 'handlers', 'light', '.all .row'],
  ['handler', 'handlers/billing/Invoices.create', 'dark', '.pane canvas'],
  ['dead-letters', 'dead-letters/billing.invoices.dead/k7', 'light', '.pane pre'],
  ['services', 'services', 'light', '.all .row'],
  ['waiting', 'waiting', 'light', '.all .row'],
  ['calls', 'calls', 'light', '.all .row'],
  ['topology', 'topology', 'dark', '.part'],
  ['journey', 'journey/019ac-order', 'light', '.journey li'],
  ['history', 'history', 'light', '.all .row'],
];

await runNode([join(root, 'tools', 'board-page.mjs'), '--if-needed']);
mkdirSync(folder, { recursive: true });
// By its address: the invented answers have no types, and the checks of tools would follow a plain import into them.
const { fakeServer } = await import(new URL('../libs/board/page/fake/server.mjs', import.meta.url).href);
const [server, browser] = [await fakeServer(), await launchChromium()];
try {
  for (const [name, place, theme, shows] of pictures) {
    const page = await browser.newPage();
    await page.emulateTimezone('UTC');
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
    await page.setViewport({ width: 1_280, height: 720 });
    await page.goto(`${server.url}#/${place}`, { waitUntil: 'networkidle2' });
    await page.waitForSelector(shows);
    await page.waitForFunction('document.body.innerText.includes("connected")');
    const path = join(folder, `${name}.webp`);
    writeFileSync(path, await page.screenshot({ type: 'webp', quality: 85 }));
    if (statSync(path).size > MOST)
      fail(`docs/board/${name}.webp has ${statSync(path).size} bytes, at most ${MOST}`);
    await page.close();
  }
} finally {
  await browser.close();
  await server.close();
}
