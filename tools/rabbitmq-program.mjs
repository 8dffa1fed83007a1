// Where the `rabbitmq-server` program is: the one of this machine, or one that was fetched for it. WARREN_RABBITMQ names
// the folder of a fetched one for everything that starts nodes: tests, bench and fault runs.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fetchRabbitMQ, programsOf } from './rabbitmq-suite.mjs';

/**
 * The program of a line, `3.10` or `4.3`: `{ program, home }`, with no `home` for this machine's own; or `{ reason }`.
 *
 * @param {string} line
 * @returns {Promise<{ program?: string, home?: string, reason?: string }>}
 */
export async function obtainRabbitMQ(line) {
  const program = findRabbitMQ('');
  if (program !== undefined && lineOf(program) === line) return { program };
  const { home, reason } = await fetchRabbitMQ(line);
  return home === undefined ? { reason } : { program: findRabbitMQ(home), home };
}

/**
 * `3.10` for a program of RabbitMQ 3.10.8, which its folder tells; undefined when it does not.
 *
 * @param {string} program
 */
export function lineOf(program) {
  return /rabbitmq[^/]*[-/](\d+\.\d+)\.\d/.exec(realpathSync(program))?.[1];
}

/**
 * Variables for a node of a fetched program, which brings its own Erlang.
 *
 * @param {string | undefined} home
 */
export function pathTo(home) {
  return home === undefined ? {} : { PATH: `${join(home, 'bin')}${delimiter}${process.env.PATH ?? ''}` };
}

/** Path of the `rabbitmq-server` program, or undefined. Distribution wrappers change the user, so real scripts go first. */
export function findRabbitMQ(home = process.env.WARREN_RABBITMQ) {
  if (home) return [join(programsOf(home), 'rabbitmq-server')].find(isProgram);
  const libraries = '/usr/lib/rabbitmq/lib';
  const versions = existing(libraries).map((name) => join(libraries, name, 'sbin'));
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const folders = [
    '/usr/lib/rabbitmq/bin',
    ...versions,
    '/opt/homebrew/sbin',
    '/usr/local/sbin',
    ...onPath,
    '/usr/sbin',
  ];
  return folders.map((folder) => join(folder, 'rabbitmq-server')).find(isProgram);
}

/** Path of Erlang's port mapper, or undefined. */
export function findEpmd(home = process.env.WARREN_RABBITMQ) {
  if (home) return [join(home, 'bin', 'epmd')].find(isProgram);
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const found = [...path, '/usr/bin', '/usr/local/bin'].map((folder) => join(folder, 'epmd')).find(isProgram);
  if (found) return found;
  const root = spawnSync('erl', ['-noshell', '-eval', 'io:format("~s", [code:root_dir()]), halt().'], {
    encoding: 'utf8',
  });
  const inRoot = join(String(root.stdout ?? ''), 'bin', 'epmd');
  return root.status === 0 && isProgram(inRoot) ? inRoot : undefined;
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Names in a folder; none when it does not exist.
 *
 * @param {string} folder
 */
export function existing(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
