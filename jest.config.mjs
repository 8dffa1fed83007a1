// One runner for everything: ESM, TypeScript through swc (it emits the decorator metadata Nest needs).
// Run through `npm test`, which brings the brokers; a single file: `npm test -- --only <part of its path>`.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const swc = {
  jsc: {
    target: 'es2022',
    keepClassNames: true,
    parser: { syntax: 'typescript', decorators: true },
    // As in tsconfig.json.
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};

const sources = {
  '^@warren/nestjs/(testing|terminus|prometheus)$': '<rootDir>/libs/nestjs/src/$1/index.ts',
  '^@warren/(amqp|nestjs|embedded|opentelemetry|board)$': '<rootDir>/libs/$1/src/index.ts',
  '^(\\.{1,2}/.*)\\.js$': '$1',
  // `npm run matrix` tries the newest one.
  ...(process.env.WARREN_AMQPLIB && { '^amqplib(/.*)?$': `${process.env.WARREN_AMQPLIB}$1` }),
};

// Nest 11 lives in a folder of its own; the same test files run on it when their imports are pointed there.
const nest11 = {
  '^@(nestjs|golevelup)/(.*)$': '<rootDir>/test/nest11/node_modules/@$1/$2',
  ...sources,
};

const project = (displayName, testMatch, { moduleNameMapper = sources, ...more } = {}) => ({
  displayName,
  rootDir: import.meta.dirname,
  // Each project looks through these folders when it starts: not through all of node_modules.
  roots: ['apps', 'examples', 'libs', 'test'].map((folder) => `<rootDir>/${folder}`),
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper,
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/(libs|examples)/[^/]+/dist'],
  testMatch: testMatch.map((pattern) => `<rootDir>/${pattern}`),
  ...more,
});

// For tests that talk to brokers and to other processes, all of them on two busy cores: see the file.
const patient = { setupFilesAfterEnv: ['<rootDir>/test/support/second-try.ts'] };

// The tests of the sample applications know nothing of the two brokers: they run once on each.
const examples = ['examples/*/src/*.spec.ts'];

// The same once more on each further RabbitMQ that `npm test` has started, without what the embedded broker does.
const onOtherRabbitMQ = JSON.parse(process.env.WARREN_MORE_RABBITMQ ?? '[]').flatMap((node) =>
  ['contract', 'e2e'].map((name) =>
    project(`${name} on ${node.line}`, aboutRabbitMQ(`test/${name}`), {
      globals: { otherRabbitMQ: node },
      setupFiles: ['<rootDir>/test/support/other-rabbitmq.ts'],
      ...patient,
    }),
  ),
);

/** Files of a folder that register tests for RabbitMQ; one without any would fail there. */
function aboutRabbitMQ(folder) {
  const files = readdirSync(join(import.meta.dirname, folder), { recursive: true }).filter((name) =>
    name.endsWith('.spec.ts'),
  );
  return (
    files
      // The demonstration starts some fifty processes each time, to show patterns that all versions have.
      .filter((name) => !name.startsWith('demo'))
      .map((name) => `${folder}/${name}`)
      .filter((path) => /\bon(EachBroker|EachVersion|RabbitMQ|BothBrokers)\(/.test(read(path)))
  );
}

function read(path) {
  return readFileSync(join(import.meta.dirname, path), 'utf8');
}

export default {
  testTimeout: 60_000,
  projects: [
    project('unit', ['libs/*/src/**/*.spec.ts', 'apps/*/src/**/*.spec.ts', 'test/types/**/*.spec.ts']),
    project('architecture', ['test/architecture/**/*.spec.ts']),
    project('contract', ['test/contract/**/*.spec.ts'], patient),
    project(
      'e2e',
      [
        'test/e2e/**/*.spec.ts',
        'test/faults/**/*.spec.ts',
        'test/docs/**/*.spec.ts',
        'libs/*/page/test/*.spec.ts',
      ],
      patient,
    ),
    project('nest11', ['test/e2e/**/*.nest.spec.ts', 'test/migration/**/*.spec.ts'], {
      moduleNameMapper: nest11,
      ...patient,
    }),
    // Once more with every frame through the client library's public functions: what is done where that is a version
    // which our own data plane does not know.
    project(
      'client',
      ['publishing', 'consume', 'failure', 'recovery', 'losses', 'shutdown', 'rpc', 'bad-deliveries'].map(
        (name) => `test/e2e/${name}.spec.ts`,
      ),
      { setupFiles: ['<rootDir>/test/support/client-path.ts'], ...patient },
    ),
    project('interop', ['test/interop/**/*.spec.ts'], patient),
    project('package', ['test/package/**/*.spec.ts'], patient),
    project('examples', examples, { setupFiles: ['<rootDir>/test/support/embedded-only.ts'] }),
    ...(process.env.RABBITMQ_URL
      ? [
          project('examples on RabbitMQ', examples, {
            setupFilesAfterEnv: ['<rootDir>/test/support/own-vhost.ts'],
          }),
        ]
      : []),
    ...onOtherRabbitMQ,
  ],
};
