// `nest add @warren/nestjs`: everything up to the first handled message. Each step leaves alone what is there already, so
// a second run changes nothing.

import { posix } from 'node:path';
import { listed, withShutdownHooks } from './edit.js';
import { handler } from './generate.js';
import { addTo, rootModule } from './module-file.js';
import { compiler, type Context, load, Project, type Schematic, type Tree } from './project.js';
import { healthController, healthModule, namesOf } from './templates.js';

/** What the Nest CLI and the user hand over. */
export interface AddOptions {
  readonly sourceRoot?: string;
  /** Whether to add a health endpoint. Default: when @nestjs/terminus is installed. */
  readonly health?: boolean;
  /** Whether to add a handler and its test. Default true. */
  readonly example?: boolean;
  /** Whether to leave out installing what was added to package.json. */
  readonly skipInstall?: boolean;
}

const KEY = `# The broker. Without it, the application starts the embedded broker when NODE_ENV is not production.
# RABBITMQ_URL=amqp://guest:guest@localhost:5672
`;

/** Sets the project up. */
export function nestAdd(options: AddOptions): Schematic {
  return (tree: Tree, context: Context) => {
    const project = new Project(tree, options.sourceRoot);
    const ts = compiler();
    const root = rootModule(project);
    const isNew = !listed(ts, project.text(root), 'imports')?.includes('RabbitModule');
    const configured = addModule(project, root, context);
    if (configured) addKey(project);
    const main = posix.join(project.root, 'main.ts');
    if (tree.exists(main)) {
      const text = withShutdownHooks(ts, project.text(main));
      if (text !== undefined) project.write(main, text);
      else context.logger.warn(`${main}: call app.enableShutdownHooks(), so that SIGTERM ends it gracefully`);
    }
    const health = options.health ?? project.has('@nestjs/terminus');
    if (health) addHealth(project, root, context);
    if (isNew && options.example !== false) addExample(project, context);
    const changed = addPackages(project, health);
    if (changed && !options.skipInstall) install(tree, context);
    context.logger.info(
      isNew
        ? 'Warren is set up. It needs no RabbitMQ yet: `npm run start:dev` starts an embedded broker, `npm test` too. ' +
            'Its messages end with the application; to keep them over restarts, run `npx warren-broker` beside it.'
        : 'Warren was set up before.',
    );
    return tree;
  };
}

/** Imports RabbitModule. Returns whether it reads its URL from ConfigModule, or a file of variables exists. */
function addModule(project: Project, root: string, context: Context): boolean {
  const { service } = project;
  const hasConfig =
    project.has('@nestjs/config') &&
    listed(compiler(), project.text(root), 'imports')?.includes('ConfigModule') === true;
  const imports = [{ name: 'RabbitModule', from: '@warren/nestjs' }];
  if (hasConfig) {
    imports.push(
      { name: 'ConfigModule', from: '@nestjs/config' },
      { name: 'ConfigService', from: '@nestjs/config' },
    );
  }
  const element = hasConfig
    ? `RabbitModule.forRootAsync({
  imports: [ConfigModule],
  inject: [ConfigService],
  useFactory: (config: ConfigService) => ({
    url: config.get<string>('RABBITMQ_URL'),
    service: '${service}',
    development: 'embedded',
  }),
})`
    : `RabbitModule.forRoot({ service: '${service}', development: 'embedded' })`;
  addTo(project, root, context, { part: 'imports', element, imports });
  return hasConfig || project.tree.exists('/.env') || project.tree.exists('/.env.example');
}

function addKey(project: Project): void {
  const there = ['/.env', '/.env.example'].filter((path) => project.tree.exists(path));
  for (const path of there.length > 0 ? there : ['/.env']) {
    const text = project.tree.exists(path) ? project.text(path) : '';
    if (text.includes('RABBITMQ_URL')) continue;
    project.write(path, `${text}${text && !text.endsWith('\n') ? '\n' : ''}${text && '\n'}${KEY}`);
  }
}

function addHealth(project: Project, root: string, context: Context): void {
  const folder = posix.join(project.root, 'health');
  const controller = posix.join(folder, 'health.controller.ts');
  const module = posix.join(folder, 'health.module.ts');
  const own = project.sources().find((path) => project.text(path).includes('HealthCheckService'));
  if (own !== undefined && own !== controller) {
    const isDone = project.sources().some((path) => project.text(path).includes('RabbitHealthIndicator'));
    const hint = '() => this.rabbit.ready("rabbit"), with RabbitHealthIndicator of @warren/nestjs/terminus';
    if (!isDone) context.logger.warn(`${own} checks health already. Add to its checks: ${hint}`);
    return;
  }
  if (project.tree.exists(controller) || project.tree.exists(module)) return;
  project.write(controller, healthController);
  project.write(module, healthModule(project.specifier(module, controller)));
  const imports = [{ name: 'HealthModule', from: project.specifier(root, module) }];
  addTo(project, root, context, { part: 'imports', element: 'HealthModule', imports });
}

function addExample(project: Project, context: Context): void {
  const names = namesOf('orders');
  const path = posix.join(project.root, 'orders', 'orders.consumer.ts');
  if (!project.tree.exists(path)) handler(project, context, { kind: 'consumer', names, path, options: {} });
}

/** Names in package.json what the added code needs. Returns whether anything was missing. */
function addPackages(project: Project, health: boolean): boolean {
  const text = project.text('/package.json');
  const json = project.packageJson;
  const nest = json.dependencies?.['@nestjs/core'] ?? json.dependencies?.['@nestjs/common'] ?? '^12.0.0';
  const major = /\d+/.exec(nest)?.[0] ?? '12';
  const add = (to: 'dependencies' | 'devDependencies', name: string, range: string): boolean => {
    if (project.has(name)) return false;
    const all = { ...json[to], [name]: range };
    json[to] = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
    return true;
  };
  const added = [
    add('dependencies', '@nestjs/microservices', nest),
    health && add('dependencies', '@nestjs/terminus', `^${major}.0.0`),
    add('devDependencies', '@nestjs/testing', nest),
    add('devDependencies', '@warren/embedded', embeddedVersion()),
  ];
  if (!added.includes(true)) return false;
  const indent = /^([ \t]+)"/m.exec(text)?.[1] ?? '  ';
  project.write('/package.json', `${JSON.stringify(json, null, indent)}\n`);
  return true;
}

/** The version that goes with this package. */
function embeddedVersion(): string {
  const { peerDependencies } = load('@warren/nestjs/package.json') as {
    peerDependencies: Record<string, string>;
  };
  return peerDependencies['@warren/embedded'] ?? 'latest';
}

function install(tree: Tree, context: Context): void {
  const managers = { pnpm: '/pnpm-lock.yaml', yarn: '/yarn.lock', bun: '/bun.lock' };
  const used = Object.entries(managers).find(([, file]) => tree.exists(file))?.[0] ?? 'npm';
  const options = { command: 'install', quiet: true, packageManager: used };
  context.addTask({ toConfiguration: () => ({ name: 'node-package', options }) });
}
