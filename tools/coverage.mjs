// `npm run coverage`: which lines and branches of the libraries the tests run, on the embedded broker; no figure is a target.
//   --unit   only the unit tests, and only the totals         all other flags go to `npm test`
import { join } from 'node:path';
import { onSignal, root, runNode } from './run.mjs';

onSignal(() => {});
const given = process.argv.slice(2);
const unit = given.includes('--unit');
const { code } = await runNode([
  join(root, 'tools', 'test.mjs'),
  ...['--project', unit ? 'unit' : 'unit,e2e', '--no-rabbitmq'],
  ...['--coverage', '--coverageProvider=v8', `--coverageReporters=${unit ? 'text-summary' : 'text'}`],
  '--collectCoverageFrom=libs/*/src/**/*.ts',
  ...given.filter((flag) => flag !== '--unit'),
]);
process.exitCode = code;
