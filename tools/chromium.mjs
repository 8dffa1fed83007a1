// Chromium for tests and screenshots of the board: the one that the machine has.
import { existsSync } from 'node:fs';
import { apt } from './foreign.mjs';

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** Path of the program, by the environment variable CHROMIUM or where systems put it; undefined when there is none. */
export function chromiumProgram() {
  return [process.env.CHROMIUM ?? '', ...places].find((path) => path !== '' && existsSync(path));
}

/** What to do when there is none. */
export const noChromium =
  'no Chromium: install it (Debian: apt install chromium), or name the program in CHROMIUM';

/** Brings it from Debian where root may do so; a sentence for what is not to be had. */
export async function bringChromium() {
  if (chromiumProgram() !== undefined) return [];
  const may = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  const reason = may ? await apt(['chromium']) : noChromium;
  return chromiumProgram() === undefined ? [`the page of the board (${reason ?? noChromium})`] : [];
}

/** Starts it without a window. @throws Error when there is none */
export async function launchChromium() {
  const executablePath = chromiumProgram();
  if (executablePath === undefined) throw new Error(noChromium);
  // Its sandbox does not work for root, and containers give it little shared memory.
  const args = [
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--force-color-profile=srgb',
    '--hide-scrollbars',
    '--disable-lcd-text',
  ];
  // Here, since `npm test` loads this file before it has installed anything.
  const { default: puppeteer } = await import('puppeteer-core');
  return puppeteer.launch({ executablePath, args, headless: true });
}
