// The clients of other languages that test/interop drives: Python's pika and the C command-line tools. Brought from
// Debian when root may do so. The tests learn from the environment which of them are there.
import { existsSync } from 'node:fs';
import { run } from './run.mjs';

/** `{ env, missing }`: what the tests are told, and one sentence for each client that is not to be had. */
export async function foreignClients() {
  let found = await look();
  const packages = [...(found.python ? [] : ['python3-pika']), ...(found.tools ? [] : ['amqp-tools'])];
  let reason = 'not installed; Debian and Ubuntu: apt-get install python3-pika amqp-tools';
  if (packages.length > 0 && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    reason = (await apt(packages)) ?? reason;
    found = await look();
  }
  const missing = [];
  if (!found.python) missing.push(`test/interop with Python's pika (${reason})`);
  if (!found.tools) missing.push(`test/interop with amqp-publish and amqp-consume (${reason})`);
  return { env: { INTEROP_PYTHON: found.python ?? '', INTEROP_AMQP_TOOLS: found.tools ? '1' : '' }, missing };
}

async function look() {
  const [system, own, tools] = await Promise.all([
    works('/usr/bin/python3', ['-c', 'import pika']),
    works('python3', ['-c', 'import pika']),
    works('amqp-publish', ['--help']),
  ]);
  return { python: system ? '/usr/bin/python3' : own ? 'python3' : undefined, tools };
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 */
const works = (program, args) =>
  run(program, args, { quiet: true }).then(
    ({ code }) => code === 0,
    () => false,
  );

/**
 * Installs packages of Debian; resolves to why that failed, if it did.
 *
 * @param {readonly string[]} packages
 */
export async function apt(packages) {
  console.log(`installing ${packages.join(' and ')} with apt-get ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '--yes', '--no-install-recommends', ...packages]]) {
    const { code, output } = await run('apt-get', ['-qq', ...args], { env, quiet: true });
    if (code !== 0) return `apt-get ${args[0]} failed: ${output.trim().split('\n').at(-1)}`;
  }
  return undefined;
}
