// What became of each number: the judge of all systems, which knows nothing about any of them. Times are those at
// which this process read a line.
import { forGood, once } from '../harness/failing.mjs';

/**
 * What a process printed about one number.
 *
 * @typedef {object} Line
 * @property {string} event
 * @property {number} n
 * @property {number} id
 * @property {boolean} [ok]
 * @property {unknown} [value]
 * @property {string} [error]
 * @property {number} [ms]
 * @property {number} [attempt]
 * @property {boolean} [redelivered]
 */

/**
 * @typedef {'pending' | 'unrouted' | 'ok' | 'rejected' | 'gone'} Outcome
 * @typedef {{ outcome: Outcome, value?: unknown, error?: string, ms?: number, at?: number }} Sent
 * @typedef {{ at: number, attempt: number, redelivered: boolean }} Run
 */

/** What was acked this long before a fault may still come back: the ack was on its way. In milliseconds. */
const UNDER_WAY = 1_000;

export class Ledger {
  crashes = 0;
  leaks = 0;
  /** @type {Map<number, Sent>} */
  #sent = new Map();
  /** @type {number[]} */
  #confirmed = [];
  /** @type {number[]} */
  #handled = [];
  /** @type {Map<number, Run[]>} */
  #runs = new Map();
  #running = 0;
  /** @type {Set<number>} */
  #done = new Set();
  /** @type {Set<number>} */
  #gaveUp = new Set();
  /** @type {Set<number>} */
  #stranded = new Set();
  /** @type {Set<number>} */
  #dead = new Set();
  /** @type {{ began: number, over: number }[]} */
  #hits = [];
  /** @type {number | undefined} */
  #attempts;

  /**
   * `attempts`: so many has a number whose handler fails; undefined when handlers do not fail.
   * @param {{ attempts?: number }} [options]
   */
  constructor({ attempts } = {}) {
    this.#attempts = attempts;
  }

  /**
   * Lines of a producer or a caller.
   *
   * @param {Line} line
   * @param {number} [at]
   */
  sending({ event, n, id, ok, value, error, ms }, at = performance.now()) {
    if (event === 'sent') this.#sent.set(n, { outcome: 'pending' });
    if (event !== 'settled' || !this.#sent.has(id)) return;
    // A receipt may say that no queue wanted it; who is told so has lost nothing.
    const unrouted = ok && String(value).includes('"routed":false');
    const outcome = unrouted ? 'unrouted' : ok ? 'ok' : 'rejected';
    this.#sent.set(id, { outcome, value, error, ms, at: ok ? at : undefined });
    if (ok) this.#confirmed.push(at);
  }

  /**
   * The life of each number that was confirmed and lost, for whoever looks for the reason; times in seconds.
   *
   * @param {number} from
   */
  lives(from) {
    /** @param {number} at */
    const time = (at) => `${((at - from) / 1_000).toFixed(2)} s`;
    return this.#lost.map((n) => {
      const runs = (this.#runs.get(n) ?? []).map(({ at, attempt }) => `attempt ${attempt} at ${time(at)}`);
      return `${n}: confirmed at ${time(this.#sent.get(n)?.at ?? NaN)}, ${runs.join(', ') || 'never handled'}`;
    });
  }

  /**
   * Lines of a consumer or a server.
   *
   * @param {Line} line
   * @param {number} [at]
   */
  handling({ event, n, attempt = 1, redelivered = false }, at = performance.now()) {
    if (event === 'done' || event === 'failed') this.#running -= 1;
    if (event === 'done') this.#done.add(n);
    if (event === 'failed' && attempt === this.#attempts) this.#gaveUp.add(n);
    if (event !== 'handled') return;
    this.#running += 1;
    this.#handled.push(at);
    this.#runs.set(n, [...(this.#runs.get(n) ?? []), { at, attempt, redelivered }]);
  }

  /**
   * A fault, from when to when: what runs twice must have one in its life.
   *
   * @param {number} began
   * @param {number} over
   */
  hit(began, over) {
    this.#hits.push({ began, over });
  }

  /** A producer ended: what it had not settled is gone with it. */
  gone() {
    for (const each of this.#sent.values()) if (each.outcome === 'pending') each.outcome = 'gone';
  }

  /**
   * A number that was still in the queue at the end.
   *
   * @param {number} n
   */
  left(n) {
    this.#stranded.add(n);
  }

  /**
   * A number that was in the dead-letter queue at the end.
   *
   * @param {number} n
   */
  dead(n) {
    this.#dead.add(n);
  }

  get pending() {
    return this.#numbers('pending').length;
  }

  get sentCount() {
    return this.#sent.size;
  }

  /** Handlers that have begun and not ended. */
  get running() {
    return this.#running;
  }

  /**
   * Handlers that began after `at`.
   *
   * @param {number} at
   */
  begunSince(at) {
    return this.#handled.filter((time) => time > at).length;
  }

  get everythingHandled() {
    return this.#numbers('ok').every((n) => this.#done.has(n) || this.#gaveUp.has(n));
  }

  /** @param {number} n */
  runsOf(n) {
    return this.#runs.get(n)?.length ?? 0;
  }

  /** @param {number} n */
  isDead(n) {
    return this.#dead.has(n);
  }

  get handledCount() {
    return this.#runs.size;
  }

  /**
   * Whether something was confirmed and something handled after `at`.
   *
   * @param {number} at
   */
  goesOnSince(at) {
    return {
      sends: this.#confirmed.some((time) => time > at),
      handles: this.#handled.some((time) => time > at),
    };
  }

  /**
   * The sentence of the table, in figures. `began`, `over`: when the fault hit, and when the broker could be had again.
   *
   * @param {number} began
   * @param {number} over
   */
  verdict(began, over) {
    const arrived = this.#arrived;
    const rejected = this.#numbers('rejected');
    const isUnknown = (/** @type {number} */ n) => /unknown/i.test(String(this.#sent.get(n)?.error));
    const twice = [...this.#runs.values()].map(repeated).filter((runs) => runs !== undefined);
    const explained = twice.filter((runs) => this.#underWay(runs));
    return {
      sent: this.#sent.size,
      lost: this.#lost.length,
      rejected: rejected.length,
      rejectedButArrived: rejected.filter(arrived).length,
      // Told as what it is: perhaps there, perhaps not.
      unknown: rejected.filter(isUnknown).length,
      falselyRejected: rejected.filter((n) => arrived(n) && !isUnknown(n)).length,
      toldUnrouted: this.#numbers('unrouted').length,
      unsettled: this.pending,
      gone: this.#numbers('gone').length,
      stranded: this.#stranded.size,
      dead: [...this.#dead].filter((n) => this.#sent.has(n)).length,
      duplicates: twice.length,
      // The broker says that it gave them out before; of the others a second copy was sent, or it forgot their acks.
      handedBack: explained.filter(({ again }) => again.redelivered).length,
      unexplained: twice.length - explained.length,
      wrongAttempts: this.#attempts === undefined ? 0 : this.#wrongAttempts(),
      crashes: this.crashes,
      leaks: this.leaks,
      sends: gap(this.#confirmed, began, over),
      handles: gap(this.#handled, began, over),
    };
  }

  /** Outcomes of calls. */
  calls() {
    const all = [...this.#sent.values()];
    const rejected = all.filter(({ outcome }) => outcome === 'rejected');
    return {
      calls: all.length,
      ok: all.filter(({ outcome }) => outcome === 'ok').length,
      wrong: [...this.#sent].filter(([n, { outcome, value }]) => outcome === 'ok' && !answers(n, value))
        .length,
      failed: rejected.length,
      slowestFailure: Math.max(0, ...rejected.map(({ ms = 0 }) => ms)),
      unsettled: this.pending,
      crashes: this.crashes,
    };
  }

  // Begun is not done: what a handler had in hand when its process was killed must be done by another.
  /** @param {number} n */
  #arrived = (n) => this.#done.has(n) || this.#stranded.has(n) || this.#dead.has(n);

  get #lost() {
    return this.#numbers('ok').filter((n) => !this.#arrived(n));
  }

  /** @param {{ first: Run, again: Run }} runs */
  #underWay({ first, again }) {
    return this.#hits.some(({ began, over }) => began <= again.at && over >= first.at - UNDER_WAY);
  }

  /** Numbers whose handler ran more or fewer times, or ended otherwise, than its failures ask for. */
  #wrongAttempts() {
    const last = this.#attempts ?? 1;
    /** @param {number} n */
    const wanted = (n) => (forGood(n) ? last : once(n) ? 2 : 1);
    /** @param {number} n */
    const wrong = (n) => {
      const seen = new Set((this.#runs.get(n) ?? []).map(({ attempt }) => attempt));
      const all = Array.from({ length: wanted(n) }, (_, at) => at + 1);
      return (
        this.#dead.has(n) !== forGood(n) || seen.size !== all.length || all.some((each) => !seen.has(each))
      );
    };
    return [...this.#sent.keys()].filter((n) => (this.#done.has(n) || this.#dead.has(n)) && wrong(n)).length;
  }

  /** @param {Outcome} wanted */
  #numbers(wanted) {
    return [...this.#sent].filter(([, { outcome }]) => outcome === wanted).map(([n]) => n);
  }
}

/**
 * The first run of a number and the run that repeats an attempt, when there is one.
 *
 * @param {readonly Run[]} runs
 */
function repeated(runs) {
  const again = runs.find(({ attempt }, at) => runs.findIndex((earlier) => earlier.attempt === attempt) < at);
  return again && { first: runs[0], again };
}

/**
 * Whether an answer is that of the call with this number.
 *
 * @param {number} n
 * @param {unknown} value
 */
const answers = (n, value) => value === JSON.stringify({ n });

/**
 * The longest silence from the fault on, and how long after its end the first sign of life came; in seconds.
 *
 * @param {readonly number[]} times
 * @param {number} began
 * @param {number} over
 */
function gap(times, began, over) {
  const around = [
    Math.max(began, ...times.filter((time) => time <= began)),
    ...times.filter((time) => time > began),
  ];
  let silent = 0;
  let end = around[0];
  for (let at = 1; at < around.length; at++) {
    if (around[at] - around[at - 1] <= silent) continue;
    silent = around[at] - around[at - 1];
    end = around[at];
  }
  const first = times.find((time) => time > over);
  if (first === undefined) return { silent: null, back: null };
  // A pause this short is no silence, wherever it lies.
  const back = silent < 700 ? 0 : Math.max(0, end - over);
  return { silent: seconds(silent), back: seconds(back) };
}

/** @param {number} ms */
const seconds = (ms) => Math.round(ms / 100) / 10;
