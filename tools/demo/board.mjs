// `npm run demo -- --board`: the board of a small shop in which some things fail, until Ctrl+C. The embedded broker is a
// process of its own; the shop is a part of this one, and so ends with it.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../run.mjs';
import { embedded } from './broker.mjs';
import { endAll } from './child.mjs';
import { good, print, silence } from './picture.mjs';

const main = join(root, 'dist', 'apps', 'board', 'main.js');

export class BoardDemo {
  /** @type {import('./broker.mjs').Broker | undefined} */
  #broker;
  /** @type {{ readonly board: string, readonly metrics: string, close(): Promise<void> } | undefined} */
  #shop;
  #interrupted = false;

  /** Shows it until it is interrupted; resolves with false when something went wrong. */
  async run() {
    try {
      this.#broker = await embedded({ management: true });
      const { openShop } = await import(pathToFileURL(main).href);
      this.#shop = await openShop(this.#broker.url, this.#broker.managementUrl);
    } catch (error) {
      if (!this.#interrupted) console.error(`\nThe demo cannot start: ${error.message}`);
      await this.end();
      return false;
    }
    print(`\nThe board of a small shop: ${good(this.#shop?.board ?? '')}\n`);
    print(look);
    print(`Its metrics, for Prometheus: ${this.#shop?.metrics}`);
    print('Ctrl+C ends it.');
    await this.#broker.process?.ended;
    if (this.#interrupted) return true;
    console.error(`\nThe embedded broker has ended. ${this.#broker.process?.complaints}`);
    await this.end();
    return false;
  }

  /** Ctrl+C, or a signal. */
  interrupt() {
    this.#interrupted = true;
    silence();
    return this.end();
  }

  /** Closes the shop, then the broker. Never rejects. */
  async end() {
    await this.#shop?.close().catch((error) => console.error(`The shop did not close: ${error.message}`));
    await this.#broker?.end();
    await endAll();
  }
}

const look = `Look at Dead letters first: the bank is away for 15 seconds of each minute, and replays work again after that.`;
