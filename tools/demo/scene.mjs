// One scene: starts the processes it needs, draws what happened, checks it. A process that a scene started ends with
// the scene, and a scene that goes wrong does not keep the others from being played.
import { join } from 'node:path';
import { root } from '../run.mjs';
import { Child, PATIENCE } from './child.mjs';
import { aside, cross, heading, picture, remark, short, tick } from './picture.mjs';

export class Scene {
  title;
  checks = [];
  notShown = [];
  broker;
  /** Whether nothing else may be played meanwhile. */
  alone;
  /** What is to be shown and was not shown yet. */
  lines = [];
  over = false;
  #cast = [];
  #number;
  #play;
  #show;

  constructor({ title, play, alone = false }, number, broker) {
    this.title = title;
    this.alone = alone;
    this.broker = broker;
    this.#number = number;
    this.#play = play;
  }

  /** Plays it; calls `show` whenever there are new lines, and when it is over. */
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

  /** Starts a consumer and waits until it listens. `where` is the queue or exchange as the tutorials call it. */
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

  /** Runs a producer to its end; resolves with it. */
  async producer(pattern, where, args, url = this.broker.url) {
    const child = this.#start(
      'producer',
      'the producer',
      pattern,
      ['--name', this.name(where), ...args],
      url,
    );
    const limit = setTimeout(() => child.signal('SIGKILL'), PATIENCE);
    const { code } = await child.ended;
    clearTimeout(limit);
    return { code, events: child.events, complaints: child.complaints.trim() };
  }

  /** Like `producer`, but everything must be sent. */
  async send(pattern, where, args, url) {
    const { code, events, complaints } = await this.producer(pattern, where, args, url);
    if (code !== 0) throw new Error(`the producer ended with code ${code}: ${complaints}`);
    return events;
  }

  /** The real name on the broker for the tutorials' name. */
  name(where) {
    return this.broker.name(where);
  }

  draw(facts) {
    for (const line of picture(facts)) this.#print(line);
  }

  check(text, ok, detail = '') {
    this.checks.push({ text, ok: Boolean(ok), detail });
    this.#print(ok ? tick(text) : cross(`${text}${detail ? `: ${detail}` : ''}`));
  }

  /** Checks that two lists (or other plain values) are equal. */
  equal(text, found, wanted) {
    const same = JSON.stringify(found) === JSON.stringify(wanted);
    this.check(text, same, same ? '' : `expected ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`);
  }

  /** Checks that a producer was refused with such an error, and shows what it said. */
  refused(text, { code, events }, name, message = /./) {
    const error = events.find(({ event }) => event === 'failed');
    this.check(
      text,
      code === 1 && error?.name === name && message.test(error.message),
      `exit code ${code}, ${JSON.stringify(error)}`,
    );
    if (error) this.aside(`${name}: ${this.broker.plain(short(error.message))}`);
  }

  /** Something worth saying that is neither right nor wrong. */
  say(text) {
    this.#print(remark(text));
  }

  aside(text) {
    this.#print(aside(text));
  }

  /** What this broker cannot show, and what would be needed. */
  cannot(text) {
    this.notShown.push(text);
    this.#print(remark(text));
  }

  #print(line) {
    this.lines.push(line);
    this.#show();
  }

  #start(application, label, pattern, args, url) {
    const main = join(root, 'dist', 'apps', application, 'main.js');
    // The URL goes through the environment: a command line, with its password, can be seen by everybody.
    const env = { ...process.env, RABBITMQ_URL: url };
    const child = new Child(label, [main, pattern, '--json', ...args], env);
    this.#cast.push(child);
    return child;
  }
}
