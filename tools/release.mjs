// `npm run release`: publishes what npm does not have yet of this version, in the order in which the packages need each other.
//   -- --dry-run   all but the last step
// .github/workflows/release.yml runs it; by hand only the dry run works, since npm wants to see where packages come from.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { fail, root, run } from './run.mjs';

/**
 * @typedef {{ folder: string, name: string, version: string, dependencies?: object, peerDependencies?: object }} Package
 */

const dry = process.argv.includes('--dry-run');
/** @type {Package[]} */
const packages = readdirSync(join(root, 'libs')).map((name) => {
  const folder = join(root, 'libs', name);
  return { folder, ...JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) };
});
const names = new Set(packages.map(({ name }) => name));
const versions = new Set(packages.map(({ version }) => version));
if (versions.size > 1) fail(`The packages have several versions: ${[...versions].join(', ')}`);
const [version] = versions;
const tag = process.env.GITHUB_REF_TYPE === 'tag' ? process.env.GITHUB_REF_NAME : undefined;
if (tag !== undefined && tag !== `v${version}`) fail(`The tag is ${tag}, but the packages are ${version}.`);

await build({ ifNeeded: true });
for (const { name, folder } of inOrder()) {
  const { output } = await run('npm', ['view', `${name}@${version}`, 'version'], {
    quiet: true,
    cwd: folder,
  });
  if (!dry && output.trim().endsWith(version)) console.log(`${name} ${version} is published already`);
  else await publish(name, folder);
}

/** @param {string} name @param {string} folder */
async function publish(name, folder) {
  const args = ['publish', ...(dry ? ['--dry-run'] : [])];
  const { code, output } = await run('npm', args, { quiet: true, cwd: folder });
  if (code !== 0) fail(`npm ${args.join(' ')} of ${name} failed:\n${output}`);
  console.log(`${name} ${version} ${dry ? 'could be published' : 'is published'}`);
}

/** What others depend on first: who installs a package finds what it needs. */
function inOrder() {
  /** @type {Package[]} */
  const done = [];
  /** @param {Package} one */
  const take = (one) => {
    if (done.includes(one)) return;
    const needed = Object.keys({ ...one.dependencies, ...one.peerDependencies }).filter((each) =>
      names.has(each),
    );
    for (const each of packages) if (needed.includes(each.name)) take(each);
    done.push(one);
  };
  packages.forEach(take);
  return done;
}
