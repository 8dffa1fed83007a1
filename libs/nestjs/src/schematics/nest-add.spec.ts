// `nest add` and `nest g` on projects in memory. With the real Nest CLI: test/package/schematics.spec.ts.
import { describe, expect, it } from '@jest/globals';
import { type AddOptions, nestAdd } from './nest-add.js';
import { consumer, contract, type GenerateOptions, rpc, subscriber } from './generate.js';
import type { Context, Schematic, Tree } from './project.js';

/** A tree in memory, and what was said and asked for. */
class Memory implements Tree, Context {
  readonly said: string[] = [];
  readonly tasks: object[] = [];
  writes = 0;
  readonly logger = {
    info: (message: string) => void this.said.push(message),
    warn: (message: string) => void this.said.push(`warn ${message}`),
  };

  constructor(readonly files: Record<string, string>) {}

  get paths(): string[] {
    return Object.keys(this.files);
  }
  exists = (path: string): boolean => path in this.files;
  read = (path: string): Buffer | null => (path in this.files ? Buffer.from(this.files[path]) : null);
  create = (path: string, content: string): void => this.overwrite(path, content);
  overwrite(path: string, content: string): void {
    this.writes++;
    this.files[path] = content;
  }
  getDir(path: string): { subfiles: string[]; subdirs: string[] } {
    const below = Object.keys(this.files).flatMap((file) => file.split(`${path}/`)[1] ?? []);
    const dirs = below.filter((name) => name.includes('/')).map((name) => name.split('/')[0]);
    return { subfiles: below.filter((name) => !name.includes('/')), subdirs: [...new Set(dirs)] };
  }
  addTask(task: { toConfiguration(): object }): void {
    this.tasks.push(task.toConfiguration());
  }
  run(schematic: Schematic): this {
    schematic(this, this);
    return this;
  }
  add(options: AddOptions = {}): this {
    return this.run(nestAdd(options));
  }
}

const main = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(3000);
}
bootstrap();
`;
const appModule = `import { Module } from '@nestjs/common';

@Module({
  imports: [],
})
export class AppModule {}
`;
const packageJson = (dependencies: object = {}, more: object = {}): string =>
  JSON.stringify({
    name: '@acme/shop',
    dependencies: { '@nestjs/core': '^11.0.1', ...dependencies },
    ...more,
  });

const project = (dependencies?: object, more?: object): Memory =>
  new Memory({
    '/package.json': packageJson(dependencies, more),
    '/src/main.ts': main,
    '/src/app.module.ts': appModule,
  });

describe('nest add', () => {
  it('says what to add by hand to a main.ts that makes its application in a function', () => {
    const made = project();
    made.files['/src/main.ts'] = main.replace(
      'const app = await NestFactory.create(AppModule);',
      'const create = () => NestFactory.create(AppModule);\n  const app = await create();',
    );
    const before = made.files['/src/main.ts'];
    made.add();
    expect(made.files['/src/main.ts']).toBe(before);
    expect(made.said).toContainEqual(expect.stringContaining('/src/main.ts: call app.enableShutdownHooks()'));
    expect(made.files['/src/app.module.ts']).toContain('RabbitModule.forRoot(');
  });

  it('imports the module, adds a handler with its test, shutdown hooks and packages, and installs', () => {
    const made = project().add();
    expect(made.files['/src/app.module.ts']).toBe(`import { Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';
import { OrdersConsumer } from './orders/orders.consumer';

@Module({
  providers: [OrdersConsumer],
  imports: [RabbitModule.forRoot({ service: 'shop', development: 'embedded' })],
})
export class AppModule {}
`);
    expect(made.files['/src/main.ts']).toContain('app.enableShutdownHooks();');
    expect(Object.keys(made.files)).toEqual(
      expect.arrayContaining(['/src/orders/orders.consumer.ts', '/src/orders/orders.consumer.spec.ts']),
    );
    expect(JSON.parse(made.files['/package.json'])).toMatchObject({
      dependencies: { '@nestjs/microservices': '^11.0.1' },
      devDependencies: { '@warren/embedded': expect.stringMatching(/^\d/), '@nestjs/testing': '^11.0.1' },
    });
    expect(made.tasks).toEqual([
      {
        name: 'node-package',
        options: expect.objectContaining({ command: 'install', packageManager: 'npm' }),
      },
    ]);
    expect(Object.keys(made.files).join()).not.toMatch(/health|env/);
  });

  it('changes nothing the second time', () => {
    const made = project({ '@nestjs/terminus': '1', '@nestjs/config': '1' });
    made.files['/src/app.module.ts'] = appModule.replace('[]', '[ConfigModule.forRoot()]');
    made.add();
    const { writes } = made;
    made.add();
    expect(made.writes).toBe(writes);
    expect(made.said.at(-1)).toBe('Warren was set up before.');
    expect(made.tasks).toHaveLength(1);
  });

  it('reads the URL from ConfigModule where there is one, and names the key in its file', () => {
    const made = project({ '@nestjs/config': '^4.0.0' });
    made.files['/src/app.module.ts'] = appModule.replace('[]', '[ConfigModule.forRoot()]');
    made.files['/.env'] = 'PORT=3000';
    made.add({ skipInstall: true });
    expect(made.files['/src/app.module.ts']).toContain(`    RabbitModule.forRootAsync({
      imports: [ConfigModule],
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        url: config.get<string>('RABBITMQ_URL'),
`);
    expect(made.files['/.env']).toMatch(/^PORT=3000\n\n# The broker.*\n# RABBITMQ_URL=amqp:\/\//);
    expect(made.tasks).toEqual([]);
  });

  it('adds a health endpoint when Terminus is installed, or wanted', () => {
    expect(project({ '@nestjs/terminus': '1' }).add().paths).toContain('/src/health/health.module.ts');
    expect(project({ '@nestjs/terminus': '1' }).add({ health: false }).paths).not.toContain(
      '/src/health/health.module.ts',
    );
    const wanted = project().add({ health: true });
    expect(wanted.files['/src/app.module.ts']).toMatch(/imports: \[\s*RabbitModule.*\s+HealthModule,?\s*\]/);
    expect(JSON.parse(wanted.files['/package.json']).dependencies['@nestjs/terminus']).toBe('^11.0.0');
  });

  it('leaves an own health check alone, and says what to add', () => {
    const made = project({ '@nestjs/terminus': '1' });
    made.files['/src/probe.ts'] = `import { HealthCheckService } from '@nestjs/terminus';`;
    made.add();
    expect(made.said[0]).toMatch(/^warn \/src\/probe.ts checks health already. Add to its checks/);
    expect(made.paths).not.toContain('/src/health/health.module.ts');
  });

  it('works in a monorepo, on the application that was chosen, and with ES modules', () => {
    const made = new Memory({
      '/package.json': packageJson({}, { type: 'module' }),
      '/pnpm-lock.yaml': '',
      '/apps/billing/src/main.ts': main
        .replaceAll('AppModule', 'BillingModule')
        .replace('./app.module', './billing.module.js'),
      '/apps/billing/src/billing.module.ts': appModule.replace('AppModule', 'BillingModule'),
    }).add({ sourceRoot: 'apps/billing/src' });
    expect(made.files['/apps/billing/src/billing.module.ts']).toMatch(
      /'\.\/orders\/orders\.consumer\.js'[^]*service: 'billing'/,
    );
    expect(made.tasks).toEqual([
      expect.objectContaining({ options: expect.objectContaining({ packageManager: 'pnpm' }) }),
    ]);
  });

  it('says what to do by hand where it cannot edit, and when this is no Nest project', () => {
    const made = project();
    made.files['/src/app.module.ts'] = appModule.replace('[]', 'shared');
    made.add();
    expect(made.said[0]).toMatch(
      /has no imports that can be edited. Add to it by hand: RabbitModule\.forRoot/,
    );
    expect(() => new Memory({}).add()).toThrow('the root module of /src was not found');
    expect(() => new Memory({ '/package.json': packageJson() }).add()).toThrow(
      'the root module of /src was not found',
    );
  });
});

describe('nest g -c @warren/nestjs', () => {
  const generate = (
    schematic: (options: GenerateOptions) => Schematic,
    options: GenerateOptions,
    made = project(),
  ): Memory => made.run(schematic(options));

  it.each([
    ['consumer', consumer, "@Consume('gift-cards')", 'GiftCardsConsumer'],
    ['subscriber', subscriber, "@Subscribe('gift-cards.*')", 'GiftCardsSubscriber'],
    ['rpc', rpc, "@RpcHandler('gift-cards.get')", 'GiftCardsRpc'],
  ] as const)('%s: a class with its test, in the nearest module', (kind, schematic, decorator, name) => {
    const made = project();
    made.files['/src/billing/billing.module.ts'] = appModule.replace('AppModule', 'BillingModule');
    generate(schematic, { name: 'billing/giftCards', sourceRoot: 'src', language: 'ts' }, made);
    const path = `/src/billing/gift-cards/gift-cards.${kind}`;
    expect(made.files[`${path}.ts`]).toContain(decorator);
    expect(made.files[`${path}.spec.ts`]).toContain(`from './gift-cards.${kind}'`);
    expect(made.files['/src/billing/billing.module.ts']).toContain(`providers: [${name}]`);
  });

  it('contract: with schemas when there is zod', () => {
    const path = '/src/orders/orders.contract.ts';
    expect(generate(contract, { name: 'orders' }).files[path]).toContain(`queue('orders');`);
    expect(generate(contract, { name: 'orders' }, project({ zod: '4' })).files[path]).toContain('z.object(');
  });

  it('goes where it is told, without a test, without a module', () => {
    const made = generate(consumer, {
      name: 'orders',
      path: 'src/in',
      flat: true,
      spec: false,
      skipImport: true,
    });
    expect(Object.keys(made.files)).toContain('/src/in/orders.consumer.ts');
    expect(made.writes).toBe(1);
  });

  it('refuses what exists, what is no name, and JavaScript', () => {
    const made = generate(consumer, { name: 'orders' });
    expect(() => generate(consumer, { name: 'orders' }, made)).toThrow('orders.consumer.ts exists already');
    expect(() => generate(consumer, { name: '7' })).toThrow("'7' is not a name");
    expect(() => generate(consumer, { name: 'orders', language: 'js' })).toThrow('TypeScript only');
  });
});
