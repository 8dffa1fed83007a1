// One scene: starts the processes it needs, draws what happened, checks it. A process that a scene started ends with
// the scene, and a scene that goes wrong does not keep the others from being played.
import { bundleOf } from '../bundle.mjs';
import { Child } from './child.mjs';
import { aside, cross, heading, picture, remark, short, tick } from './picture.mjs';

/**
 * What is played: `alone` when nothing else may be played meanwhile.
 *
 * @typedef {{ title: string, play: (scene: Scene) => Promise<void>, alone?: boolean }} Play
 */

/**
 * @typedef {import('./broker.mjs').Broker} Broker
 * @typedef {import('./child.mjs').ChildEvent} ChildEvent
 * @typedef {{ code: number | null, events: ChildEvent[], complaints: string }} Produced
 */

export class Scene {
  title;
  /** @type {{ text: string, ok: boolean, detail: string }[]} */
  checks = [];
  /** @type {string[]} */
  notShown = [];
  broker;
  /** Whether nothing else may be played meanwhile. */
  alone;
  /**
   * What is to be shown and was not shown yet.
   *
   * @type {string[]}
   */
  lines = [];
  over = false;
  /** @type {Child[]} */
  #cast = [];
  #number;
  #play;
  #show = () => {};

  /** @param {Play} play @param {number} number @param {Broker} broker */
  constructor({ title, play, alone = false }, number, broker) {
    this.title = title;
    this.alone = alone;
    this.broker = broker;
    this.#number = number;
    this.#play = play;
  }

  /**
   * Plays it; calls `show` whenever there are new lines, and when it is over.
   *
   * @param {() => void} show
   */
  async run(show) {
    this.#show = show;
    this.#print(`\n${heading(`${this.#number}. ${this.title}`)}`);
    try {
      await this.#play(this);
    } catch (error) {
      this.check('the scene could be played to its end', false, error.message);
    } finally {
      await Promise.all(this.#cast.map((child) => child.stop()));
      this.over = true;
      show();
    }
  }

  /**
   * Starts a consumer and waits until it listens. `where` is the queue or exchange as the tutorials call it.
   *
   * @param {string} label
   * @param {string} pattern
   * @param {string} where
   * @param {readonly string[]} [args]
   * @param {string} [url]
   */
  async consumer(label, pattern, where, args = [], url = this.broker.url) {
    const child = this.#start(
      'consumer',
      label,
      pattern,
      [...args, ...this.broker.service(), '--name', this.name(where)],
      url,
    );
    await child.wait('ready');
    return child;
  }

  /**
   * Runs a producer to its end; resolves with it.
   *
   * @param {string} pattern
   * @param {string} where
   * @param {readonly string[]} args
   * @param {string} [url]
   * @returns {Promise<Produced>}
   */
  async producer(pattern, where, args, url = this.broker.url) {
    const child = this.#start(
      'producer',
      'the producer',
      pattern,
      ['--name', this.name(where), ...args],
      url,
    );
    const { code } = await child.end();
    return { code, events: child.events, complaints: child.complaints.trim() };
  }

  /**
   * Like `producer`, but everything must be sent.
   *
   * @param {string} pattern
   * @param {string} where
   * @param {readonly string[]} args
   * @param {string} [url]
   */
  async send(pattern, where, args, url) {
    const { code, events, complaints } = await this.producer(pattern, where, args, url);
    if (code !== 0) throw new Error(`the producer ended with code ${code}: ${complaints}`);
    return events;
  }

  /**
   * The real name on the broker for the tutorials' name.
   *
   * @param {string} where
   */
  name(where) {
    return this.broker.name(where);
  }

  /** @param {Parameters<typeof picture>[0]} facts */
  draw(facts) {
    for (const line of picture(facts)) this.#print(line);
  }

  /** @param {string} text @param {boolean} ok @param {string} [detail] */
  check(text, ok, detail = '') {
    this.checks.push({ text, ok, detail });
    this.#print(ok ? tick(text) : cross(`${text}${detail ? `: ${detail}` : ''}`));
  }

  /**
   * Checks that two lists (or other plain values) are equal.
   *
   * @param {string} text
   * @param {unknown} found
   * @param {unknown} wanted
   */
  equal(text, found, wanted) {
    const same = JSON.stringify(found) === JSON.stringify(wanted);
    this.check(text, same, same ? '' : `expected ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`);
  }

  /**
   * Checks that a producer was refused with such an error, and shows what it said.
   *
   * @param {string} text
   * @param {Produced} produced
   * @param {string} name
   * @param {RegExp} [message]
   */
  refused(text, { code, events }, name, message = /./) {
    const error = events.find(({ event }) => event === 'failed');
    this.check(
      text,
      code === 1 && error?.name === name && message.test(error.message),
      `exit code ${code}, ${JSON.stringify(error)}`,
    );
    if (error) this.aside(`${name}: ${this.broker.plain(short(error.message))}`);
  }

  /**
   * Something worth saying that is neither right nor wrong.
   *
   * @param {string} text
   */
  say(text) {
    this.#print(remark(text));
  }

  /** @param {string} text */
  aside(text) {
    this.#print(aside(text));
  }

  /**
   * What this broker cannot show, and what would be needed.
   *
   * @param {string} text
   */
  cannot(text) {
    this.notShown.push(text);
    this.#print(remark(text));
  }

  /** @param {string} line */
  #print(line) {
    this.lines.push(line);
    this.#show();
  }

  /**
   * @param {string} application
   * @param {string} label
   * @param {string} pattern
   * @param {readonly string[]} args
   * @param {string} url
   */
  #start(application, label, pattern, args, url) {
    // The URL goes through the environment: a command line, with its password, can be seen by everybody.
    const env = { ...process.env, RABBITMQ_URL: url, WARREN_DEMO: '1' };
    const child = new Child(label, [bundleOf(application), pattern, '--json', ...args], env);
    this.#cast.push(child);
    return child;
  }
}
