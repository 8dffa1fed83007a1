// Where the `rabbitmq-server` program is on this machine, and how to get it from Debian's (or Ubuntu's) package
// when the tests run as root and it is not there yet.
// The package starts a service of its own; it is stopped again, because the tests bring their own node.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const LIMIT = 10 * 60_000;

/** Path of the `rabbitmq-server` program, or undefined. Distribution wrappers change the user, so real scripts go first. */
export function findRabbitMQ() {
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
export function findEpmd() {
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const found = [...path, '/usr/bin', '/usr/local/bin'].map((folder) => join(folder, 'epmd')).find(isProgram);
  if (found) return found;
  const root = spawnSync('erl', ['-noshell', '-eval', 'io:format("~s", [code:root_dir()]), halt().'], {
    encoding: 'utf8',
  });
  const inRoot = join(String(root.stdout ?? ''), 'bin', 'epmd');
  return root.status === 0 && isProgram(inRoot) ? inRoot : undefined;
}

/** Installs `rabbitmq-server`. Resolves to `{ installed: true }`, or to `{ installed: false, reason }` when that is not possible here. */
export async function installRabbitMQ({ say = console.log } = {}) {
  if (process.platform !== 'linux') return refused(`there is no Debian package on ${process.platform}`);
  if (!existsSync('/usr/bin/apt-get')) return refused('this system has no apt-get');
  if (process.getuid?.() !== 0)
    return refused('only root may install packages (try: sudo apt-get install rabbitmq-server)');
  const servedBefore = serviceRuns();
  say('Installing rabbitmq-server with apt-get (about 50 MB, once) ...');
  const failure =
    (await aptGet('update')) ??
    (await aptGet('install', '--yes', '--no-install-recommends', 'rabbitmq-server'));
  if (failure) return refused(failure);
  if (!servedBefore && serviceRuns())
    spawnSync('service', ['rabbitmq-server', 'stop'], { stdio: 'ignore', timeout: 60_000 });
  say('Installed rabbitmq-server.');
  return { installed: true };
}

function refused(reason) {
  return { installed: false, reason };
}

function serviceRuns() {
  return (
    spawnSync('service', ['rabbitmq-server', 'status'], { stdio: 'ignore', timeout: 30_000 }).status === 0
  );
}

// Resolves to undefined, or to one line that says what went wrong.
async function aptGet(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const child = spawn('apt-get', ['-qq', ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LIMIT,
  });
  let errors = '';
  child.stderr.on('data', (chunk) => (errors = (errors + String(chunk)).slice(-2_000)));
  const code = await Promise.race([
    once(child, 'close').then(([status]) => status),
    once(child, 'error').then(([e]) => e.message),
  ]);
  if (code === 0) return undefined;
  return `apt-get ${args[0]} failed (${code}): ${errors.trim().split('\n').at(-1) ?? ''}`;
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Names in a folder; none when it does not exist. */
export function existing(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
