// One install or build at a time: producer and consumer may be started in two terminals of a fresh clone in the
// same second. The lock is a file outside the tree that holds the process id of its owner, so that a killed owner
// does not block anybody.
import { createHash } from 'node:crypto';
import { openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { root } from './run.mjs';

/**
 * Runs `work` while nobody else holds the lock of that place, this tree; waits as long as the other process lives.
 *
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} work
 * @param {string} place
 */
export async function alone(what, work, place = root) {
  const path = lockOf(place);
  let told = false;
  while (!take(path)) {
    if (!told)
      console.log(
        `waiting for process ${owner(path) ?? '?'}, which is installing or building here (${what})`,
      );
    told = true;
    await pause(200);
  }
  const release = () => rmSync(path, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** @param {string} place */
function lockOf(place) {
  return join(tmpdir(), `warren-${createHash('sha1').update(place).digest('hex').slice(0, 12)}.lock`);
}

/** @param {string} path */
function take(path) {
  try {
    const file = openSync(path, 'wx');
    writeFileSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    const pid = owner(path);
    if (pid !== undefined && !alive(pid)) rmSync(path, { force: true });
    return false;
  }
}

/** @param {string} path */
function owner(path) {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
