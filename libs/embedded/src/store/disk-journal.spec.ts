import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Message } from '../model/message.js';
import { NO_PROPERTIES } from '../wire/properties.js';
import { DiskJournal } from './disk-journal.js';
import { SegmentWriter } from './segments.js';

const FULL = 10_000;
const place = { kind: 'queue', vhost: '/', name: 'q' } as const;
const silent = { log: () => undefined, warn: () => undefined };

let folder: string;
const journals: DiskJournal[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warren-journal-'));
});
afterEach(() => {
  for (const journal of journals.splice(0)) journal.close();
  rmSync(folder, { recursive: true });
});

function open(): DiskJournal {
  const journal = new DiskJournal(folder, silent, FULL);
  journals.push(journal);
  return journal;
}

function begun(): DiskJournal {
  const journal = open();
  journal.note({ op: 'vhost', vhost: '/' });
  journal.begin();
  return journal;
}

const queue = { op: 'queue', vhost: '/', name: 'q', autoDelete: false, args: '' } as const;
const fullDisk = (): { mockRestore(): void } =>
  jest.spyOn(SegmentWriter.prototype, 'write').mockImplementation(() => {
    throw new Error('ENOSPC: no space left on device');
  });
const message = (body: string): Message => new Message('x', ['q'], NO_PROPERTIES, Buffer.from(body));
const keep = (journal: DiskJournal, body: string): number => journal.keep(place, message(body), null);
const bodies = (journal: DiskJournal): string[] =>
  [...journal.found()].map(({ message: { body } }) => String(body));
const bytes = (): number =>
  readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);

describe('a journal', () => {
  it('has what was kept and not dropped, in its order, over many files', () => {
    const journal = begun();
    const wanted: string[] = [];
    for (let n = 0; n < 2000; n += 1) {
      const entry = keep(journal, `message ${n}`);
      if (n % 2 === 0) journal.drop(entry);
      else wanted.push(`message ${n}`);
      if (n % 10 === 0) journal.write();
    }
    journal.close();
    expect(bodies(open())).toEqual(wanted);
  });

  it('does not grow with what is gone, also when one old message stays', () => {
    const journal = begun();
    keep(journal, 'stays');
    for (let n = 0; n < 3000; n += 1) {
      const entry = keep(journal, `message ${n}`.padEnd(100));
      journal.write();
      journal.drop(entry);
      journal.write();
    }
    expect(bytes()).toBeLessThan(8 * FULL);
    journal.close();
    expect(bodies(open())).toEqual(['stays']);
  });

  it('writes a message for many queues once', () => {
    const journal = begun();
    const one = message('x'.repeat(1000));
    for (let n = 0; n < 50; n += 1) journal.keep({ ...place, name: `q${n}` }, one, null);
    journal.write();
    expect(bytes()).toBeLessThan(4000);
    journal.close();
    expect(bodies(open())).toHaveLength(50);
  });

  it('writes nothing of what comes and goes in one turn', () => {
    const journal = begun();
    const before = bytes();
    for (let n = 0; n < 50; n += 1) journal.drop(keep(journal, 'short'));
    journal.write();
    expect(bytes()).toBe(before);
  });

  it('cut off anywhere has a beginning of what was written', () => {
    const journal = begun();
    const all = ['a', 'b', 'c', 'd'];
    for (const body of all) {
      keep(journal, body);
      journal.write();
    }
    journal.close();
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.log'));
    const whole = readFileSync(join(folder, file));
    for (let end = 0; end <= whole.length; end += 1) {
      writeFileSync(join(folder, file), whole.subarray(0, end));
      const found = bodies(open());
      journals.pop()?.close();
      expect(found).toEqual(all.slice(0, found.length));
      if (end === whole.length) expect(found).toEqual(all);
    }
  });

  it('does not take a byte that changed for a message', () => {
    const journal = begun();
    keep(journal, 'good');
    journal.write();
    const size = bytes();
    keep(journal, 'changed');
    journal.close();
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.log'));
    const whole = readFileSync(join(folder, file));
    whole[whole.length - 3] ^= 1;
    writeFileSync(join(folder, file), whole);
    expect(whole.length).toBeGreaterThan(size - 100);
    expect(bodies(open())).toEqual(['good']);
  });

  it('says so once when it cannot write, and confirms nothing from then on', async () => {
    const lines: string[] = [];
    const journal = new DiskJournal(folder, { log: () => undefined, warn: (line) => lines.push(line) }, FULL);
    journals.push(journal);
    journal.begin();
    // The next file has no place to be.
    rmSync(folder, { recursive: true });
    const synced = (): Promise<boolean> => new Promise((resolve) => journal.afterSync(resolve));
    for (let n = 0; n < 2; n++) {
      keep(journal, 'x'.repeat(FULL));
      expect(await synced()).toBe(false);
    }
    expect(lines).toEqual([expect.stringMatching(/^cannot write to .*none is confirmed$/)]);
    mkdirSync(folder);
  });

  it('drops for good what it was told to drop before it began', () => {
    const first = begun();
    const entry = keep(first, 'a');
    keep(first, 'b');
    first.close();
    const second = open();
    second.drop(entry);
    second.begin();
    second.close();
    expect(bodies(open())).toEqual(['b']);
  });

  it('deletes nothing when the next file cannot be written', () => {
    const first = begun();
    first.note(queue);
    first.close();
    const full = fullDisk();
    open().begin();
    journals.pop()?.close();
    full.mockRestore();
    expect(open().topology.all.map(({ op }) => op)).toEqual(['vhost', 'queue']);
  });

  it('after it could not write has what was written before, and nothing of what came later', () => {
    const journal = begun();
    const entry = keep(journal, 'kept');
    journal.write();
    const full = fullDisk();
    journal.note(queue);
    journal.write();
    full.mockRestore();
    journal.drop(entry);
    keep(journal, 'x'.repeat(FULL));
    journal.write();
    journal.close();
    const again = open();
    expect(bodies(again)).toEqual(['kept']);
    expect(again.topology.all.map(({ op }) => op)).toEqual(['vhost']);
  });

  it('tells when the disk has it, many at once', async () => {
    const journal = begun();
    const told: boolean[] = [];
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => {
        keep(journal, String(n));
        return new Promise<void>((resolve) =>
          journal.afterSync((ok) => {
            told.push(ok);
            resolve();
          }),
        );
      }),
    );
    expect(told).toEqual(Array<boolean>(20).fill(true));
  });
});
