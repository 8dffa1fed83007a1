// What became of each number: the judge of all systems, which knows nothing about any of them. Times are those at
// which this process read a line.

export class Ledger {
  crashes = 0;
  leaks = 0;
  #sent = new Map();
  #confirmed = [];
  #handled = [];
  #runs = new Map();
  #running = 0;
  #stranded = new Set();

  /** Lines of a producer or a caller. */
  sending({ event, n, id, ok, value, error, ms }, at = performance.now()) {
    if (event === 'sent') this.#sent.set(n, { outcome: 'pending' });
    if (event !== 'settled' || !this.#sent.has(id)) return;
    // A receipt may say that no queue wanted it; who is told so has lost nothing.
    const unrouted = ok && String(value).includes('"routed":false');
    this.#sent.set(id, { outcome: unrouted ? 'unrouted' : ok ? 'ok' : 'rejected', error, ms });
    if (ok) this.#confirmed.push(at);
  }

  /** Lines of a consumer or a server. */
  handling({ event, n }, at = performance.now()) {
    if (event === 'done') this.#running -= 1;
    if (event !== 'handled') return;
    this.#running += 1;
    this.#handled.push(at);
    this.#runs.set(n, (this.#runs.get(n) ?? 0) + 1);
  }

  /** A producer ended: what it had not settled is gone with it. */
  gone() {
    for (const each of this.#sent.values()) if (each.outcome === 'pending') each.outcome = 'gone';
  }

  /** A number that was still in the queue at the end. */
  left(n) {
    this.#stranded.add(n);
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

  /** Handlers that began after `at`. */
  begunSince(at) {
    return this.#handled.filter((time) => time > at).length;
  }

  get everythingHandled() {
    return this.#numbers('ok').every((n) => this.#runs.has(n));
  }

  get handledCount() {
    return this.#runs.size;
  }

  /** Whether something was confirmed and something handled after `at`. */
  goesOnSince(at) {
    return {
      sends: this.#confirmed.some((time) => time > at),
      handles: this.#handled.some((time) => time > at),
    };
  }

  /** The sentence of the table, in figures. `began`, `over`: when the fault hit, and when the broker could be had again. */
  verdict(began, over) {
    const arrived = (n) => this.#runs.has(n) || this.#stranded.has(n);
    const rejected = this.#numbers('rejected');
    const times = [...this.#runs.values()];
    return {
      sent: this.#sent.size,
      lost: this.#numbers('ok').filter((n) => !arrived(n)).length,
      rejected: rejected.length,
      rejectedButArrived: rejected.filter(arrived).length,
      // Told as what it is: perhaps there, perhaps not.
      unknown: rejected.filter((n) => /unknown/i.test(this.#sent.get(n).error)).length,
      toldUnrouted: this.#numbers('unrouted').length,
      unsettled: this.pending,
      gone: this.#numbers('gone').length,
      stranded: this.#stranded.size,
      duplicates: times.filter((count) => count > 1).length,
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
      failed: rejected.length,
      slowestFailure: Math.max(0, ...rejected.map(({ ms }) => ms)),
      unsettled: this.pending,
      crashes: this.crashes,
    };
  }

  #numbers(wanted) {
    return [...this.#sent].filter(([, { outcome }]) => outcome === wanted).map(([n]) => n);
  }
}

/** The longest silence from the fault on, and how long after its end the first sign of life came; in seconds. */
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

const seconds = (ms) => Math.round(ms / 100) / 10;
