// `npm run packages`: packs the libraries and lets publint and attw judge what npm users would get: the fields of
// package.json, and whether each entry point has the right types for each way to find them. What the packages contain,
// and how large they may be, is a test: test/package.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { fail, onSignal, root, run, runNode } from './run.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'warren-packages-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
onSignal(() => {});

await build({ ifNeeded: true });
const libraries = readdirSync(join(root, 'libs')).flatMap((name) => ['--workspace', `libs/${name}`]);
const { code, output } = await run('npm', ['pack', '--pack-destination', scratch, ...libraries], {
  quiet: true,
});
if (code !== 0) fail(`npm pack failed:\n${output}`);

const wrong = [];
for (const archive of readdirSync(scratch)) {
  await judged(archive, ['publint', 'src', 'cli.js'], ['run', join(scratch, archive), '--strict']);
  await judged(
    archive,
    ['@arethetypeswrong', 'cli', 'dist', 'index.js'],
    [join(scratch, archive), '--format', 'ascii'],
  );
}
process.exitCode = wrong.length > 0 ? 1 : 0;

/**
 * @param {string} archive
 * @param {readonly string[]} program
 * @param {readonly string[]} args
 */
async function judged(archive, program, args) {
  const path = join(root, 'node_modules', ...program);
  const { code, output } = await runNode([path, ...args], { quiet: true, limit: 300_000 });
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'}  ${archive}: ${program[0].replace('@', '')}`);
  if (code === 0) return;
  console.log(output);
  wrong.push(archive);
}
