// Brings the other libraries into node_modules of their own, at the versions that their package.json names. They are
// no part of this repository: only `npm run faults -- --peers` asks for them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { alone } from '../../tools/lock.mjs';
import { run } from '../../tools/run.mjs';

const LIMIT = 300_000;

/**
 * The systems beside Warren: the folder here, and the package whose version is told.
 *
 * @type {Record<string, string>}
 */
export const peers = {
  golevelup: '@golevelup/nestjs-rabbitmq',
  'nest-transport': '@nestjs/microservices',
};

/** Installs what is missing, one after the other; rejects with npm's own words. */
export async function installPeers(names = Object.keys(peers), say = console.log) {
  for (const name of names) {
    const folder = join(import.meta.dirname, name);
    const missing = wanted(folder).filter(([each, version]) => present(folder, each) !== version);
    if (missing.length === 0) continue;
    say(`installing ${name}: ${missing.map(([each, version]) => `${each} ${version}`).join(', ')} ...`);
    const args = ['install', '--no-package-lock', '--no-audit', '--no-fund', '--workspaces=false'];
    const { code, output } = await alone(`npm install in bench/peers/${name}`, () =>
      run('npm', args, { cwd: folder, quiet: true, limit: LIMIT }),
    );
    if (code !== 0) throw new Error(`npm install in bench/peers/${name} failed:\n${output}`);
  }
}

/**
 * The version of a peer that is installed; undefined when it is not, and for Warren.
 *
 * @param {string} name
 */
export const versionOf = (name) =>
  name in peers ? present(join(import.meta.dirname, name), peers[name]) : undefined;

/** @param {string} folder */
const wanted = (folder) =>
  Object.entries(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).dependencies);

/** @param {string} folder @param {string} name @returns {string | undefined} */
function present(folder, name) {
  try {
    return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}
