// `npm test`: everything that can be tested here. Gets RabbitMQ and the foreign clients when the machine allows it,
// runs jest, and ends with one block that says what ran where and what did not run and why.
//   --only <part of a path>   --project <name>   --no-rabbitmq   all other flags go to jest
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rabbitMQ } from './broker.mjs';
import { foreignClients } from './foreign.mjs';
import { install } from './install.mjs';
import { summary } from './summary.mjs';
import { onSignal, root, runNode } from './run.mjs';

/** Projects that talk to a broker; the others do not wait for one. */
const needBroker = ['contract', 'e2e', 'nest11', 'interop'];

const { only, projects, noRabbitMQ, rest } = parse(process.argv.slice(2));
let broker;
onSignal(() => broker?.stop());

await install();
const scratch = mkdtempSync(join(tmpdir(), 'warren-test-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
const results = process.env.TEST_RESULTS ?? join(scratch, 'results.json');
const wanted =
  only === undefined && (projects.length === 0 || projects.some((each) => needBroker.includes(each)));
const aimed = only !== undefined && /contract|e2e|interop|regressions|faults|nest|test\/?$/.test(only);

const missing = [];
broker = noRabbitMQ ? { reason: '--no-rabbitmq was given' } : wanted || aimed ? await rabbitMQ() : {};
if (broker.reason !== undefined)
  missing.push(`RabbitMQ (${broker.reason}): every broker test ran on the embedded broker only`);
const clients = wanted || aimed ? await foreignClients() : { env: {}, missing: [] };
missing.push(...clients.missing);

const { code, seconds } = await jest();
await broker.stop?.();
console.log(summary({ results: read(results), missing, broker, seconds }));
const incomplete = process.env.CI === 'true' && !noRabbitMQ && missing.length > 0;
if (incomplete) console.error('CI is set: what could not be run counts as failed.');
process.exitCode = code !== 0 ? code : incomplete ? 1 : 0;

function jest() {
  const args = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  args.push(join(root, 'node_modules', 'jest', 'bin', 'jest.js'));
  args.push('--reporters=default', `--reporters=${join(root, 'scripts', 'reporter.mjs')}`);
  if (projects.length > 0) args.push('--selectProjects', ...projects);
  if (only !== undefined) args.push(`--testPathPatterns=${only}`);
  // After a flag that takes a list, the next word would belong to the list: the one that takes a number goes last.
  args.push('--maxWorkers=2', ...rest);
  const env = { ...process.env, ...clients.env, TEST_RESULTS: results };
  delete env.RABBITMQ_URL;
  delete env.RABBITMQ_MANAGEMENT_URL;
  if (broker.url !== undefined) env.RABBITMQ_URL = broker.url;
  if (broker.managementUrl !== undefined) env.RABBITMQ_MANAGEMENT_URL = broker.managementUrl;
  return runNode(args, { env });
}

function parse(args) {
  const parsed = { only: undefined, projects: [], noRabbitMQ: false, rest: [] };
  while (args.length > 0) {
    const flag = args.shift();
    if (flag === '--only') parsed.only = args.shift();
    else if (flag === '--project') parsed.projects.push(...args.shift().split(','));
    else if (flag === '--no-rabbitmq') parsed.noRabbitMQ = true;
    else parsed.rest.push(flag);
  }
  return parsed;
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
