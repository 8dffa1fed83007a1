// Who gets a folder. Another broker is pretended by a file as it writes them.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as fs from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Called once before a file is removed or renamed. */
let meanwhile: (() => void) | undefined;
const afterThat =
  <A extends readonly unknown[], R>(change: (...args: A) => R) =>
  (...args: A): R => {
    const first = meanwhile;
    meanwhile = undefined;
    first?.();
    return change(...args);
  };
jest.unstable_mockModule('node:fs', () => ({
  ...fs,
  renameSync: afterThat(fs.renameSync),
  rmSync: afterThat(fs.rmSync),
}));
const { lockFolder, unlockFolder } = await import('./folder-lock.js');

const gone = `999999999 1 0 ${hostname()}`;
const elsewhere = '1 1 0 elsewhere';
let folder: string;
let file: string;
let unlock: (() => void) | undefined;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'warren-lock-'));
  file = join(folder, 'broker.lock');
});
afterEach(() => {
  unlock?.();
  unlock = undefined;
  fs.rmSync(folder, { recursive: true });
});

const lock = (): void => void (unlock = lockFolder(folder));
const owner = (): string => fs.readFileSync(file, 'utf8');
const old = (seconds: number): void => {
  const time = Date.now() / 1000 - seconds;
  fs.utimesSync(file, time, time);
};

describe('a folder', () => {
  it('of a process that has ended is free, and nothing is left of its lock', () => {
    fs.writeFileSync(file, gone);
    lock();
    expect(owner()).toContain(`${process.pid} `);
    expect(fs.readdirSync(folder)).toEqual(['broker.lock']);
    unlock?.();
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it('is not taken from a broker that was faster to take it from one that had ended', () => {
    lock();
    const faster = owner();
    unlock?.();
    fs.writeFileSync(file, gone);
    meanwhile = () => fs.writeFileSync(file, faster);
    expect(lock).toThrow(/is in use by another broker/);
    expect(owner()).toBe(faster);
    expect(fs.readdirSync(folder)).toEqual(['broker.lock']);
  });

  it('is not taken from a broker that has not written yet who it is', () => {
    fs.writeFileSync(file, '');
    expect(lock).toThrow(/is in use by another broker: stop that one/);
    old(11);
    lock();
  });

  it('is not taken from a process of another host or container while that changes the time of the file', () => {
    fs.writeFileSync(file, elsewhere);
    expect(lock).toThrow(
      /\(process 1 on elsewhere\).* If it has crashed, the folder is free after 10 seconds$/,
    );
    old(11);
    lock();
    expect(owner()).not.toBe(elsewhere);
  });

  it('stays that of another broker when this one, which lost it, ends', () => {
    lock();
    fs.writeFileSync(file, elsewhere);
    unlock?.();
    expect(owner()).toBe(elsewhere);
  });

  it('given back twice stays with the next one', () => {
    lock();
    const first = unlock;
    first?.();
    lock();
    first?.();
    expect(owner()).toContain(`${process.pid} `);
  });

  it('of a thread that has ended can be given back for it, and no other', () => {
    lock();
    unlockFolder(folder, 77);
    const mine = owner();
    fs.writeFileSync(file, mine.replace(/^([0-9]+ \S+) [0-9]+/, '$1 77'));
    unlockFolder(folder, 77);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it('shows that its broker lives', async () => {
    lock();
    old(100);
    for (let age = Infinity; age > 5_000; age = Date.now() - fs.statSync(file).mtimeMs)
      await new Promise((resolve) => setImmediate(resolve));
  });
});
