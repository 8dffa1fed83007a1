// The demo from the first line to the last: gets a broker, plays the scenes, cleans up, adds up.
// Whatever happens, the processes it started are ended, by their process id.
import { endAll } from './child.mjs';
import { embedded, given } from './broker.mjs';
import { bad, faint, good, print, silence } from './picture.mjs';
import { Scene } from './scene.mjs';
import { scenes } from './scenes.mjs';

/** @typedef {{ url?: string, management?: string, restart?: string, only?: readonly string[] }} DemoOptions */

export class Demo {
  #options;
  /** @type {import('./broker.mjs').Broker | undefined} */
  #broker;
  #interrupted = false;

  /** @param {DemoOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Plays everything; resolves with whether all was right. */
  async run() {
    const started = performance.now();
    try {
      this.#broker = this.#options.url ? await given(this.#options.url, this.#options) : await embedded();
    } catch (error) {
      console.error(`\nThe demo needs a broker: ${error.message}`);
      await this.end();
      return false;
    }
    const broker = this.#broker;
    console.log(`\n${broker.introduction}`);
    const wanted = scenes.filter(({ title }) => fits(title, this.#options.only));
    const played = wanted.map((each) => new Scene(each, scenes.indexOf(each) + 1, broker));
    await this.#play(played);
    await this.end();
    return report(played, (performance.now() - started) / 1000);
  }

  // Two at a time: most of a scene is processes starting. They are shown in order all the same: the first that is not
  // over speaks at once, the others are heard when it is their turn. Who restarts the broker wants it for itself.
  /** @param {readonly Scene[]} played */
  async #play(played) {
    let shown = 0;
    const show = () => {
      for (; shown < played.length; shown++) {
        played[shown].lines.splice(0).forEach(print);
        if (!played[shown].over) return;
      }
    };
    const waiting = played.filter(({ alone }) => !alone);
    const worker = async () => {
      while (waiting.length > 0 && !this.#interrupted) await waiting.shift()?.run(show);
    };
    await Promise.all([worker(), worker()]);
    for (const scene of played.filter(({ alone }) => alone)) if (!this.#interrupted) await scene.run(show);
  }

  /** Ctrl+C: the scene that is being played goes wrong now, which nobody needs to hear. */
  interrupt() {
    this.#interrupted = true;
    silence();
    return this.end();
  }

  /** Ends every process and removes what the scenes declared. Never rejects. */
  async end() {
    await endAll((child) => child !== this.#broker?.process);
    await this.#broker?.end();
    this.#broker = undefined;
    await endAll();
  }
}

/** @param {string} title @param {readonly string[]} [words] */
const fits = (title, words = ['']) => words.some((word) => title.toLowerCase().includes(word.toLowerCase()));

/** @param {readonly Scene[]} played @param {number} seconds */
function report(played, seconds) {
  const all = played.flatMap(({ title, checks }) => checks.map((check) => ({ title, ...check })));
  const wrong = all.filter(({ ok }) => !ok);
  const left = played.flatMap(({ notShown }) => notShown);
  print('');
  for (const reason of left) print(faint(`Not shown: ${reason}`));
  if (played.length === 0) {
    print(bad('No scene was played.'));
    return false;
  }
  /** @param {number} many @param {string} what */
  const number = (many, what) => `${many} ${what}${many === 1 ? '' : 's'}`;
  const count = `${number(played.length, 'scene')}, ${number(all.length, 'check')}, ${seconds.toFixed(0)} seconds`;
  if (wrong.length === 0) {
    print(good(`All right: ${count}.`));
    print(byHand);
    return true;
  }
  print(
    bad(
      `Not right: ${wrong.length} of ${all.length} checks (${played.length} scenes, ${seconds.toFixed(0)} seconds).`,
    ),
  );
  for (const { title, text, detail } of wrong)
    print(bad(`  ✗ ${title}: ${text}${detail ? ` (${detail})` : ''}`));
  return false;
}

const byHand = `
By hand, each in a terminal of its own:

  npm run broker                             or any RabbitMQ; RABBITMQ_URL says where
  npm run consumer -- work --prefetch 1
  npm run producer -- work "first." "second..."`;
