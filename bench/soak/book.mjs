// The accounts of a soak run, from the journals of its processes and what lies in the broker at the end: each confirmed
// message was handled, or is a dead letter with the reason that its plan asks for, or lies where a person finds it.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DEAD } from './plan.mjs';

/**
 * A line of a journal: when, in ms, in which file, and facts that differ from kind to kind.
 *
 * @typedef {{ at: number, from: string, [fact: string]: any }} Line
 */

/**
 * What lies in the broker at the end, and a time in which something was lost.
 *
 * @typedef {{ n: number, queue: string, reason: string }} Left
 * @typedef {{ from: number, to: number, what: string }} Loss
 * @typedef {{ figures: Record<string, unknown>, broken: string[] }} Part
 */

/**
 * A message: the line of its publish, and what came of it.
 *
 * @typedef {Line & { runs: Line[], handled: Line[], left: Omit<Left, 'n'>[] }} Message
 */

/** What was handled this long before a loss may come again: its ack was on its way. In milliseconds. */
const UNDER_WAY = 2_000;
/** Memory may grow by this much between the first and the last third of a process's life. */
const GROWTH = { factor: 1.3, bytes: 16 * 1024 * 1024 };
/** A call may settle this much later than its time-out, and by what its process was kept from running. */
const LATE_CALL = 2_000;
const BACK = 10_000;
const DELAYS = new Map([
  ['500ms', 500],
  ['2s', 2_000],
  ['5s', 5_000],
]);
const CLOSED = 12_000;

/**
 * The lines of all journals in a folder, in the order of their time.
 *
 * @param {string} folder
 * @returns {Line[]}
 */
export function journals(folder) {
  const lines = readdirSync(folder)
    .filter((file) => file.endsWith('.journal'))
    .flatMap((file) => linesOf(join(folder, file)).map((line) => ({ ...line, from: file })));
  return lines.sort((one, other) => one.at - other.at);
}

/**
 * The last line of a process that was killed may be cut.
 *
 * @param {string} file
 * @returns {Line[]}
 */
function linesOf(file) {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}

/**
 * The account: `figures` to print and `broken`, a sentence for each promise that does not hold. `left` is what lies in the
 * broker; `losses` are the times in which connections, processes or brokers were lost; `secret` must be in no line.
 *
 * @param {{ lines: readonly Line[], left: readonly Left[], losses: readonly Loss[], secret: string }} found
 */
export function account({ lines, left, losses: faults, secret }) {
  // A connection is lost by a fault, or by itself on a machine that is too busy for its heartbeats: acks go with it.
  const alone = lines.filter(({ lost }) => lost !== undefined);
  const losses = [...faults, ...alone.map(({ at, lost }) => ({ from: at, to: at, what: lost }))];
  const messages = messagesOf(lines);
  for (const { n, queue, reason } of left) messages.get(n)?.left.push({ queue, reason });
  const all = [...messages.values()];
  /** @type {Part[]} */
  const parts = [
    whereabouts(all),
    twice(all, losses),
    order(lines, messages),
    calls(lines),
    delays(lines, losses),
  ];
  parts.push(memory(lines), endings(lines), secrets(lines, secret), returns(lines, faults));
  parts.push({ figures: { 'connections lost': alone.length }, broken: [] });
  return {
    figures: Object.assign({}, ...parts.map(({ figures }) => figures)),
    broken: parts.flatMap(({ broken }) => broken),
  };
}

/** @param {readonly Line[]} lines */
function messagesOf(lines) {
  /** @type {Map<number, Message>} */
  const messages = new Map();
  for (const line of lines) {
    if (line.sent !== undefined) messages.set(line.sent, { ...line, runs: [], handled: [], left: [] });
    if (line.confirmed !== undefined)
      Object.assign(messages.get(line.confirmed) ?? {}, { confirmed: true, routed: line.routed });
    if (line.refused !== undefined)
      Object.assign(messages.get(line.refused) ?? {}, { code: line.code, sentNot: line.sentNot });
    if (line.ran !== undefined) messages.get(line.ran)?.runs.push(line);
    if (line.handled !== undefined) messages.get(line.handled)?.handled.push(line);
  }
  return messages;
}

/** @param {readonly Message[]} all @returns {Part} */
function whereabouts(all) {
  /** @type {string[]} */
  const broken = [];
  const count = { sent: all.length, confirmed: 0, refused: 0, unknown: 0, unroutable: 0, pending: 0 };
  const end = { handled: 0, dead: 0, orphaned: 0, waiting: 0, lost: 0 };
  /** @param {Message} message @param {string} what */
  const complain = (message, what) =>
    broken.push(`message ${message.sent} (${message.kind}, ${message.plan}): ${what}`);
  for (const message of all) {
    if (message.confirmed && message.routed === false) count.unroutable++;
    else if (message.confirmed) count.confirmed++;
    else if (/OUTCOME_UNKNOWN/.test(message.code ?? '')) count.unknown++;
    else if (message.code) count.refused++;
    else count.pending++;
    if (!message.confirmed || message.routed === false) {
      const arrived = message.handled.length > 0 || message.left.length > 0;
      if (message.sentNot && arrived) complain(message, 'was said to have never left, and arrived');
      continue;
    }
    const wanted = DEAD[message.plan];
    const dead = message.left.find(({ queue }) => queue.endsWith('.dead'));
    if (message.handled.length > 0) end.handled++;
    else if (dead) end.dead++;
    else if (message.left.some(({ queue }) => /orphans|unroutable/.test(queue))) end.orphaned++;
    else if (message.left.length > 0) {
      end.waiting++;
      complain(message, `still waits in '${message.left[0].queue}', although all is there to handle it`);
    } else {
      end.lost++;
      complain(message, 'was confirmed, and is lost');
    }
    if (dead && dead.reason !== wanted) complain(message, `is a dead letter, reason '${dead.reason}'`);
    if (wanted && message.handled.length > 0) complain(message, 'was to fail, and counts as handled');
  }
  if (count.pending > 0) broken.push(`${count.pending} publishes never settled`);
  return { figures: { publishes: count, messages: end }, broken };
}

/**
 * Handled again only when something was lost since it was sent: a lost ack makes a second copy, which may wait for long.
 *
 * @param {readonly Message[]} all
 * @param {readonly Loss[]} losses
 * @returns {Part}
 */
function twice(all, losses) {
  const broken = [];
  let again = 0;
  for (const { sent, kind, handled, at: since } of all) {
    if (kind === 'stream') continue;
    for (let i = 1; i < handled.length; i++) {
      again++;
      const [one, other] = [handled[i - 1].at, handled[i].at];
      if (!losses.some(({ from, to }) => to >= since - UNDER_WAY && from <= other))
        broken.push(
          `message ${sent} (${kind}) was handled twice, ${Math.round(other - one)} ms apart, and nothing was lost`,
        );
    }
  }
  return { figures: { 'handled twice': again }, broken };
}

/**
 * Per key: what is handled for the first time comes after all before it, over deployments, crashes and losses; but a suspect,
 * which came back again and again without an outcome, is put at the end of its queue, and says so.
 *
 * @param {readonly Line[]} lines
 * @param {ReadonlyMap<number, Message>} messages
 * @returns {Part}
 */
function order(lines, messages) {
  const broken = [];
  const last = new Map();
  const seen = new Set();
  let ordered = 0;
  let suspects = 0;
  for (const { handled, kind, key, at, suspect } of lines) {
    if (kind !== 'ordered' || handled === undefined || seen.has(handled)) continue;
    seen.add(handled);
    ordered++;
    if (suspect) suspects++;
    const before = last.get(key) ?? -1;
    // One whose publish was refused or unknown may come when it comes.
    if (handled < before && messages.get(handled)?.confirmed && !suspect)
      broken.push(`message ${handled} of ${key} was handled after ${before} (at ${Math.round(at)})`);
    last.set(key, Math.max(before, handled));
  }
  return { figures: { 'handled in order': { messages: ordered, suspects } }, broken };
}

/** @param {readonly Line[]} lines @returns {Part} */
function calls(lines) {
  const broken = [];
  const made = lines.filter(({ call }) => call !== undefined);
  /** @type {Record<string, number>} */
  const codes = {};
  for (const { call, took, timeout, lag = 0, right, code } of made) {
    if (code) codes[code] = (codes[code] ?? 0) + 1;
    if (right === false) broken.push(`call ${call} got a wrong answer`);
    if (took > timeout + LATE_CALL + lag)
      broken.push(
        `call ${call} settled after ${Math.round(took)} ms (its process was late by ${Math.round(lag)})`,
      );
    if (code && !/^WARREN_/.test(code)) broken.push(`call ${call} failed with '${code}'`);
  }
  return {
    figures: { calls: { made: made.length, answered: made.filter(({ right }) => right).length, ...codes } },
    broken,
  };
}

/** @param {readonly Line[]} lines @param {readonly Loss[]} losses @returns {Part} */
function delays(lines, losses) {
  const broken = [];
  /** @type {number[]} */
  const late = [];
  for (const { handled, delayed, at } of lines) {
    if (!delayed) continue;
    const wanted = DELAYS.get(delayed.delay) ?? NaN;
    const took = at - delayed.since;
    if (took < wanted - 20)
      broken.push(`message ${handled} came ${Math.round(wanted - took)} ms before its delay was over`);
    const calm = !losses.some(({ from, to }) => to >= delayed.since - UNDER_WAY && from <= at);
    if (calm) late.push(took - wanted);
  }
  late.sort((one, other) => one - other);
  /** @param {number} part */
  const at = (part) => Math.round(late[Math.min(late.length - 1, Math.floor(late.length * part))] ?? 0);
  return {
    figures: { 'delays, late by ms': { count: late.length, p50: at(0.5), p99: at(0.99), max: at(1) } },
    broken,
  };
}

/**
 * Of processes that lived long enough: the median of the last third against that of the first, without its start.
 *
 * @param {readonly Line[]} lines
 * @returns {Part}
 */
function memory(lines) {
  const broken = [];
  /** @type {Record<string, string>} */
  const figures = {};
  const of = groupBy(lines, ({ from }) => from);
  for (const [from, all] of of) {
    const measured = all.filter(({ heap }) => heap !== undefined).slice(5);
    if (measured.length < 60) continue;
    const third = Math.floor(measured.length / 3);
    const [first, last] = [measured.slice(0, third), measured.slice(-third)];
    const heap = [first, last].map((part) => median(part.map((each) => each.heap)));
    const handles = [first, last].map((part) => median(part.map((each) => each.handles)));
    figures[from] = `${mebi(heap[0])} → ${mebi(heap[1])} MiB, ${handles[0]} → ${handles[1]} handles`;
    if (heap[1] > heap[0] * GROWTH.factor + GROWTH.bytes)
      broken.push(`${from}: memory grows, ${figures[from]}`);
    if (handles[1] > handles[0] + 20) broken.push(`${from}: handles grow, ${figures[from]}`);
  }
  return { figures: { memory: figures }, broken };
}

/**
 * A broker object that is closed has ended within its five seconds, and what the end of a connection takes.
 *
 * @param {readonly Line[]} lines
 * @returns {Part}
 */
function endings(lines) {
  const ends = lines.filter(({ ended }) => ended);
  const slow = ends.filter(({ took, lag = 0 }) => took > CLOSED + lag);
  return {
    figures: {
      'clean ends': { count: ends.length, slowest: Math.round(Math.max(0, ...ends.map(({ took }) => took))) },
    },
    broken: slow.map(({ took, from }) => `${from} took ${Math.round(took)} ms to close`),
  };
}

/** @param {readonly Line[]} lines @param {string} secret @returns {Part} */
function secrets(lines, secret) {
  const told = lines.filter(({ log, text }) => log && text.includes(secret));
  return { figures: {}, broken: told.length > 0 ? [`the password is in ${told.length} log lines`] : [] };
}

/**
 * How long after the broker was there again the first publish was confirmed and the first message handled; not told when
 * the next fault came before that.
 *
 * @param {readonly Line[]} lines
 * @param {readonly Loss[]} faults
 * @returns {Part}
 */
function returns(lines, faults) {
  const signs = { publishes: 'confirmed', handlers: 'handled' };
  /** @type {Record<keyof typeof signs, number[]>} */
  const back = { publishes: [], handlers: [] };
  /** @param {string} name @param {number} after */
  const next = (name, after) => lines.find((line) => line.at > after && line[name] !== undefined)?.at;
  for (const { to } of faults.filter(({ what }) => /broker|node/.test(what))) {
    for (const of of /** @type {(keyof typeof signs)[]} */ (Object.keys(signs))) {
      const at = next(signs[of], to);
      if (at === undefined) continue;
      const disturbed = faults.some(({ from }) => from > to && from < at);
      if (!disturbed) back[of].push(Math.round(at - to));
    }
  }
  /** @param {readonly number[]} list */
  const max = (list) => Math.max(0, ...list);
  const broken = Object.entries(back)
    .filter(([, list]) => max(list) > BACK)
    .map(([of, list]) => `${of} were back only ${max(list)} ms after the broker`);
  return { figures: { 'back after ms': { publishes: back.publishes, handlers: back.handlers } }, broken };
}

/** @param {number[]} list */
const median = (list) => list.toSorted((one, other) => one - other)[Math.floor(list.length / 2)] ?? 0;
/** @param {number} bytes */
const mebi = (bytes) => (bytes / 1024 / 1024).toFixed(1);

/**
 * @template Each
 * @template Key
 * @param {readonly Each[]} list
 * @param {(each: Each) => Key} keyOf
 * @returns {Map<Key, Each[]>}
 */
function groupBy(list, keyOf) {
  const groups = new Map();
  for (const each of list) {
    const group = groups.get(keyOf(each));
    if (group) group.push(each);
    else groups.set(keyOf(each), [each]);
  }
  return groups;
}
