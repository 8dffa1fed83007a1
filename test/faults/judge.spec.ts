// Who judges the judge: a fault run is worth what its ledger and its promises are. Each lie that a system could tell
// is told here to the judge alone, without a broker.

import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

interface Judge {
  sending(line: object): void;
  handling(line: object): void;
  verdict(began: number, over: number): { readonly lost: number; readonly falselyRejected: number };
}

const peers = join(import.meta.dirname, '..', '..', 'bench', 'peers', 'faults');
const { Ledger } = (await import(join(peers, 'ledger.mjs'))) as { Ledger: new () => Judge };
const { broken } = (await import(join(peers, 'promises.mjs'))) as {
  broken(name: string, figures: unknown): string[];
};

/** The figures of messages that ended as told and then ran as told. */
function figures(...messages: { outcome: object; handling?: string[] }[]): ReturnType<Judge['verdict']> {
  const ledger = new Ledger();
  for (const [n, { outcome, handling = [] }] of messages.entries()) {
    ledger.sending({ event: 'sent', n });
    ledger.sending({ event: 'settled', id: n, ...outcome });
    for (const event of handling) ledger.handling({ event, n });
  }
  return ledger.verdict(0, 0);
}

const confirmed = { ok: true };
const [unknown, certain] = ['PublishUnknownError: lost', 'Error: channel closed'].map((error) => ({
  ok: false,
  error,
}));
const handling = ['handled', 'done'];

describe('the ledger', () => {
  it('counts as lost what was confirmed and that no handler came to the end of', () => {
    expect(figures({ outcome: confirmed }).lost).toBe(1);
    expect(figures({ outcome: confirmed, handling: ['handled'] }).lost).toBe(1);
    expect(figures({ outcome: confirmed, handling }).lost).toBe(0);
  });

  it('tells an error that says nobody knows from one that says it was not sent, however many there are', () => {
    expect(figures({ outcome: unknown, handling }).falselyRejected).toBe(0);
    // Unknown outcomes of others are no excuse.
    const others = Array.from({ length: 5 }, () => ({ outcome: unknown }));
    expect(figures(...others, { outcome: certain, handling }).falselyRejected).toBe(1);
  });
});

describe('the promises', () => {
  it.each([
    [{ lost: 1 }, 'confirmed and lost 1'],
    [{ unsettled: 1 }, 'promises never settled 1'],
    [{ stranded: 1 }, 'left in the queue 1'],
    [{ crashes: 1 }, 'crashes or unhandled rejections 1'],
    [{ leaks: 1 }, 'lines with the password 1'],
    [{ begunAfter: 1 }, 'handlers begun after the signal 1'],
    [{ falselyRejected: 170 }, 'rejected for certain, but arrived 170'],
    [{ sends: { silent: null } }, 'sends never came back'],
    [{ handles: { silent: 20, back: 12 } }, 'handles came back after 12 s only'],
    [{ after: 9 }, 'afterwards only 9 of 10 calls were answered'],
    [{ exit: { ms: null } }, 'a process did not end'],
    [{ exit: { ms: 9, code: 1 } }, 'ended with 1'],
    [{ exit: { ms: 9, code: 0 }, cut: 2 }, 'handlers cut off by a polite end 2'],
    [{ memory: [90, 200] }, 'memory grew by 110 MiB'],
    [{ memory: [90, null] }, 'memory was not told'],
    [{ slowestFailure: 9_000 }, 'a call failed after 9000 ms only'],
  ])('are broken by %j', (found, sentence) => expect(broken('it', found)).toEqual([`it: ${sentence}`]));

  it('are broken by a fault that did not run', () =>
    expect(broken('it', undefined)).toEqual(['it: did not run (undefined)']));

  it('are kept by unknown outcomes, by a killed process and by calls that fail in time', () => {
    const honest = [
      { lost: 0, rejected: 9, rejectedButArrived: 3, unknown: 9, falselyRejected: 0 },
      { exit: { ms: 9, code: 'SIGKILL' }, cut: 10, running: 10 },
      { calls: 578, ok: 299, failed: 279, slowestFailure: 3_019, after: 10 },
      { sends: { silent: 63.2, back: 3.2 }, memory: [94, 95] },
    ];
    expect(honest.flatMap((each) => broken('it', each))).toEqual([]);
  });
});
