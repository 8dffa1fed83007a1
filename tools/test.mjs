// `npm test`: everything that can be tested here. Gets RabbitMQ, the foreign clients and Chromium when the machine allows it,
// runs jest, and ends with one block that says what ran where and what did not run and why.
//   --only <part of a path>   --project <name>   --no-rabbitmq   --rabbitmq <4.3, 4.0, 3.10 or 4>, more than once
//   --strict: no second try for a test that fails         all other flags go to jest
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { rabbitMQs } from './broker.mjs';
import { bringChromium } from './chromium.mjs';
import { foreignClients } from './foreign.mjs';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { endLeftBehind, MARK } from './left-behind.mjs';
import { summary } from './summary.mjs';
import { onSignal, root, runNode } from './run.mjs';

/**
 * Folders of test/ whose tests talk to a broker (and examples/), with the projects that run them; others do not wait for one.
 *
 * @type {Record<string, string[]>}
 */
const brokerTests = {
  contract: ['contract'],
  e2e: ['e2e', 'nest11', 'client'],
  faults: ['e2e'],
  docs: ['e2e'],
  examples: ['examples'],
  interop: ['interop'],
  migration: ['nest11'],
};

const {
  only,
  projects,
  rest,
  strict,
  rabbitmq: lines,
  'no-rabbitmq': noRabbitMQ,
} = parse(process.argv.slice(2));
/** @type {Awaited<ReturnType<typeof rabbitMQs>>['nodes']} */
let nodes = [];
const stopNodes = () => Promise.all(nodes.map((node) => node.stop?.()));
const thisRun = `${process.pid}-${Date.now()}`;
onSignal(async () => {
  endLeftBehind(thisRun);
  await stopNodes();
});

await install();
// Tests that start processes of their own need what is built; before jest, so that no two of them build at once.
if (selected('e2e')) await build({ ifNeeded: true });
const scratch = mkdtempSync(join(tmpdir(), 'warren-test-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
const results = process.env.TEST_RESULTS ?? join(scratch, 'results.json');
const folders = Object.keys(brokerTests).filter(selected);

const missing = [];
if (noRabbitMQ) missing.push('RabbitMQ (--no-rabbitmq was given): tests ran on the embedded broker only');
else if (folders.length > 0) await start();
const clients = folders.includes('interop') ? await foreignClients() : { env: {}, missing: [] };
missing.push(...clients.missing);
if (folders.includes('e2e')) missing.push(...(await bringChromium()));

const { code, seconds } = await jest();
const left = endLeftBehind(thisRun);
await stopNodes();
console.log(summary({ results: read(results), missing, nodes, seconds }));
if (left > 0) console.log(`Processes that tests left behind, ended now: ${left}`);
const incomplete = process.env.CI === 'true' && !noRabbitMQ && missing.length > 0;
if (incomplete) console.error('CI is set: what could not be run counts as failed.');
process.exitCode = code !== 0 ? code : incomplete ? 1 : 0;

/** The first node is the one that everything runs on; the corpus and test/e2e run on each. */
async function start() {
  const found = await rabbitMQs(lines);
  nodes = found.nodes;
  const instead = nodes.length > 0 ? 'nothing ran there' : 'tests ran on the embedded broker only';
  missing.push(...found.missing.map((reason) => `${reason}: ${instead}`));
}

/**
 * Whether what was asked for takes in tests of that folder.
 *
 * @param {string} folder
 */
function selected(folder) {
  if (projects.length > 0 && !brokerTests[folder].some((each) => projects.includes(each))) return false;
  const path = folder === 'examples' ? join(root, folder) : join(root, 'test', folder);
  const specs = existsSync(path) ? readdirSync(path, { encoding: 'utf8', recursive: true }) : [];
  return specs.some((each) => each.endsWith('.spec.ts') && new RegExp(only ?? '').test(join(path, each)));
}

function jest() {
  const args = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  args.push(join(root, 'node_modules', 'jest', 'bin', 'jest.js'));
  args.push('--reporters=default', `--reporters=${join(root, 'tools', 'reporter.mjs')}`);
  const [first, ...others] = nodes;
  const twice = projects.filter((name) => ['contract', 'e2e'].includes(name));
  const further = others.flatMap(({ line }) => twice.map((name) => `${name} on ${line}`));
  if (first?.url !== undefined && projects.includes('examples')) further.push('examples on RabbitMQ');
  if (projects.length > 0) args.push('--selectProjects', ...projects, ...further);
  if (only !== undefined) args.push(`--testPathPatterns=${only}`);
  // After a flag that takes a list, the next word would belong to the list: the one that takes a number goes last.
  // Tests wait for brokers half of the time: one more than the two cores that continuous integration has.
  // What the modules of a test file leave behind is never freed (Node's vm): a worker that holds too much is started anew.
  args.push('--workerIdleMemoryLimit=1GB', '--maxWorkers=3', ...rest);
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, ...clients.env, TEST_RESULTS: results, [MARK]: thisRun };
  if (strict) env.WARREN_STRICT = '1';
  for (const name of ['RABBITMQ_URL', 'RABBITMQ_MANAGEMENT_URL', 'WARREN_RABBITMQ']) delete env[name];
  if (first?.url !== undefined) env.RABBITMQ_URL = first.url;
  if (first?.managementUrl !== undefined) env.RABBITMQ_MANAGEMENT_URL = first.managementUrl;
  if (first?.home !== undefined) env.WARREN_RABBITMQ = first.home;
  env.WARREN_MORE_RABBITMQ = JSON.stringify(others);
  return runNode(args, { env });
}

/** @param {string[]} args what is not for us is for jest, in its order */
function parse(args) {
  /** @satisfies {import('node:util').ParseArgsConfig['options']} */
  const options = {
    only: { type: 'string' },
    project: { type: 'string', multiple: true, default: /** @type {string[]} */ ([]) },
    rabbitmq: { type: 'string', multiple: true, default: /** @type {string[]} */ ([]) },
    'no-rabbitmq': { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
  };
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const places = tokens.flatMap((token) => {
    if (token.kind !== 'option' || !(token.name in options)) return [];
    const { index, value, inlineValue } = token;
    return value === undefined || inlineValue ? [index] : [index, index + 1];
  });
  const { values } = parseArgs({ args: places.map((place) => args[place]), options });
  const projects = values.project.flatMap((names) => names.split(','));
  const rest = args.filter((_, place) => !places.includes(place));
  return { ...values, projects, rest };
}

/** @param {string} path */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
