// RabbitMQ of another version than this machine has, or of any when it has none: the packages of a suite of Debian, with
// their Erlang and their C library, unpacked into the user's cache. Nothing is installed, and root is not needed.
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { lstatSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { alone } from './lock.mjs';
import { root as tree, run } from './run.mjs';

/** Which suite has which line of RabbitMQ, newest first. */
export const suites = new Map([
  ['4.3', 'forky'],
  ['4.0', 'trixie'],
  ['3.10', 'bookworm'],
]);

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const LIMIT = 10 * 60_000;
const LIBRARIES = /-linux-gnu/;

/**
 * `{ home, version }` of a line, fetched unless the cache has it; or `{ reason }` when it is not to be had here.
 *
 * @param {string} line
 */
export async function fetchRabbitMQ(line) {
  const suite = suites.get(line);
  if (suite === undefined) return { reason: `no suite of Debian has RabbitMQ ${line}` };
  const refused = refusal();
  if (refused !== undefined) return { reason: refused };
  const home = join(cache(), suite);
  try {
    if (versionOf(home) === undefined) await alone('RabbitMQ', () => bring(suite, home), home);
  } catch (error) {
    return { reason: error.message };
  }
  const version = versionOf(home);
  return version?.startsWith(`${line}.`)
    ? { home, version }
    : { reason: `Debian ${suite} has RabbitMQ ${version} now` };
}

/**
 * The folder of its programs.
 *
 * @param {string} home
 */
export const programsOf = (home) => join(home, 'root', 'usr', 'lib', 'rabbitmq', 'bin');

function refusal() {
  if (process.platform !== 'linux') return `there is no Debian package on ${process.platform}`;
  for (const program of ['/usr/bin/apt-get', '/usr/bin/dpkg-deb'])
    if (!existsSync(program)) return `this system has no ${basename(program)}`;
  if (!existsSync(KEYRING)) return 'the keys of Debian are missing (apt-get install debian-archive-keyring)';
  return undefined;
}

/** Outside the tree, so that a new clone has it already. */
function cache() {
  const outside = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'warren', 'rabbitmq');
  try {
    mkdirSync(outside, { recursive: true });
    return outside;
  } catch {
    return join(tree, 'node_modules', '.cache', 'rabbitmq');
  }
}

// Written last: a folder without it was left half done.
/** @param {string} home */
const noteOf = (home) => join(home, 'version');

/** @param {string} home */
function versionOf(home) {
  return existsSync(noteOf(home)) ? readFileSync(noteOf(home), 'utf8') : undefined;
}

/** @param {string} suite @param {string} home */
async function bring(suite, home) {
  if (versionOf(home) !== undefined) return;
  rmSync(home, { recursive: true, force: true });
  console.log(`fetching RabbitMQ from Debian ${suite} into ${home} (about 70 MB, once) ...`);
  const started = performance.now();
  const packages = await download(suite, join(home, 'apt'));
  const root = join(home, 'root');
  mkdirSync(root);
  for (const each of packages) await must('dpkg-deb', ['-x', each, root]);
  ownLibraries(root, home);
  const bytes = packages.reduce((sum, each) => sum + statSync(each).size, 0);
  rmSync(join(home, 'apt'), { recursive: true });
  const folder = readdirSync(join(root, 'usr/lib/rabbitmq/lib')).find((name) => name.startsWith('rabbitmq_'));
  if (folder === undefined) throw new Error(`${root} holds no RabbitMQ`);
  const version = folder.replace('rabbitmq_server-', '');
  writeFileSync(noteOf(home), version);
  const seconds = (performance.now() - started) / 1000;
  console.log(`fetched RabbitMQ ${version}: ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(0)} s`);
}

/**
 * Lets apt fetch the package with all it depends on, as if nothing was installed; resolves to the files.
 *
 * @param {string} suite
 * @param {string} folder
 */
async function download(suite, folder) {
  for (const name of ['lists/partial', 'cache/archives/partial', 'etc'])
    mkdirSync(join(folder, name), { recursive: true });
  const [sources, status] = [join(folder, 'etc', 'sources.list'), join(folder, 'status')];
  writeFileSync(sources, `deb [signed-by=${KEYRING}] ${await mirror()} ${suite} main\n`);
  writeFileSync(status, '');
  const settings = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State': folder,
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::Status': status,
    'Dir::Cache': join(folder, 'cache'),
    'Acquire::Languages': 'none',
    'APT::Install-Recommends': 'false',
    // The folder belongs to whoever runs this: apt's own user could not write there.
    'APT::Sandbox::User': '',
    'Debug::NoLocking': 'true',
  };
  const options = ['-qq', ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])];
  await must('apt-get', [...options, 'update']);
  await must('apt-get', [...options, 'install', '--download-only', '--yes', 'rabbitmq-server']);
  const archives = join(folder, 'cache', 'archives');
  return readdirSync(archives)
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(archives, name));
}

/** The mirror that apt is set up with when it is Debian's, else Debian's own address. */
async function mirror() {
  const args = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'];
  const { output } = await run('apt-get', args, { quiet: true });
  return output.split('\n').find((line) => /\/debian\/?$/.test(line)) ?? 'http://deb.debian.org/debian';
}

/**
 * Every Erlang program starts with the C library that came along, and `home/bin` has those that others look for.
 *
 * @param {string} root
 * @param {string} home
 */
function ownLibraries(root, home) {
  const erlang = join(root, 'usr', 'lib', 'erlang');
  const folders = ['lib', 'usr/lib'].flatMap((name) =>
    (existsSync(join(root, name)) ? readdirSync(join(root, name)) : [])
      .filter((each) => LIBRARIES.test(each))
      .map((each) => join(root, name, each)),
  );
  const loader = folders
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((path) => basename(path).startsWith('ld-linux'))
    .slice(0, 1);
  for (const entry of readdirSync(erlang, { recursive: true, encoding: 'utf8' })) {
    const path = join(erlang, entry);
    if (!lstatSync(path).isFile() || !needsLoader(path)) continue;
    const moved = join(dirname(path), '.elf', basename(path));
    mkdirSync(dirname(moved), { recursive: true });
    renameSync(path, moved);
    const words = [...loader, '--library-path', folders.join(':'), '--argv0'].map(quoted).join(' ');
    writeFileSync(path, `#!/bin/sh\nexec ${words} "$0" ${quoted(moved)} "$@"\n`, { mode: 0o755 });
  }
  const start = readdirSync(erlang).filter((name) => name.startsWith('erts-'));
  for (const name of ['bin', ...start.map((each) => `${each}/bin`)].flatMap((each) => [
    `${each}/erl`,
    `${each}/start`,
  ]))
    if (existsSync(join(erlang, name))) movedTo(join(erlang, name), erlang);
  mkdirSync(join(home, 'bin'));
  for (const name of ['erl', 'epmd', 'escript', 'erl_call'])
    if (existsSync(join(erlang, 'bin', name)))
      symlinkSync(join(erlang, 'bin', name), join(home, 'bin', name));
}

/**
 * Whether a file is a program for Linux that names a loader (a segment PT_INTERP); libraries do not.
 *
 * @param {string} path
 */
function needsLoader(path) {
  const head = Buffer.alloc(4096);
  const file = openSync(path, 'r');
  const length = readSync(file, head, 0, head.length, 0);
  closeSync(file);
  if (length < 64 || head.toString('latin1', 0, 4) !== '\x7fELF' || head[4] !== 2) return false;
  const [at, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)];
  for (let i = 0; i < count && at + (i + 1) * size <= length; i++)
    if (head.readUInt32LE(at + i * size) === 3) return true;
  return false;
}

/** @param {string} script @param {string} erlang */
function movedTo(script, erlang) {
  const text = readFileSync(script, 'utf8');
  writeFileSync(script, text.replaceAll('/usr/lib/erlang', erlang));
}

/** @param {string} word */
const quoted = (word) => `'${word.replaceAll("'", `'\\''`)}'`;

/** @param {string} program @param {readonly string[]} args */
async function must(program, args) {
  const { code, output } = await run(program, args, { quiet: true, limit: LIMIT });
  const last = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0) throw new Error(`${program} ${args.at(-1)} failed (${code}): ${last}`);
}
