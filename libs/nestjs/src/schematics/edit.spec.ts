// Edits of modules and of main.ts: what is there stays as it is, character by character.
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { bootstrapOf, listed, withElement, withImport, withShutdownHooks } from './edit.js';

const add = (text: string, element = 'New'): string | undefined => withElement(ts, text, 'imports', element);
const module = (metadata: string): string => `@Module(${metadata})\nexport class AppModule {}\n`;

describe('an element of a module', () => {
  it.each([
    ['an empty array', '{ imports: [] }', '{ imports: [New] }'],
    ['one line', '{ imports: [A, B.forRoot()] }', '{ imports: [A, B.forRoot(), New] }'],
    ['a trailing comma', '{\n  imports: [\n    A,\n  ],\n}', '{\n  imports: [\n    A,\n    New,\n  ],\n}'],
    ['none yet', '{\n  providers: [],\n}', '{\n  imports: [New],\n  providers: [],\n}'],
    ['no metadata', '{}', '{\n  imports: [New],\n}'],
    [
      'comments',
      '{\n  imports: [\n    A, // first\n    /* second */ B,\n  ],\n}',
      '{\n  imports: [\n    A, // first\n    /* second */ B,\n    New,\n  ],\n}',
    ],
    ['a comment in one line', '{ imports: [A /* a */] }', '{ imports: [A, New /* a */] }'],
    [
      'Windows lines',
      '{\r\n  imports: [\r\n    A\r\n  ]\r\n}',
      '{\r\n  imports: [\r\n    A,\r\n    New\r\n  ]\r\n}',
    ],
  ])('is added to %s', (_, before, after) => {
    expect(add(module(before))).toBe(module(after));
  });

  it('of several lines, or too long for one, gets lines of its own', () => {
    const before = module('{\n  imports: [ConfigModule.forRoot()],\n}');
    expect(add(before, 'Rabbit({\n  a,\n})')).toBe(
      module('{\n  imports: [\n    ConfigModule.forRoot(),\n    Rabbit({\n      a,\n    }),\n  ],\n}'),
    );
    const long = 'A'.repeat(60);
    expect(add(before, long)).toBe(
      module(`{\n  imports: [\n    ConfigModule.forRoot(),\n    ${long},\n  ],\n}`),
    );
  });

  it.each(['{ imports: shared }', 'metadata', '{ ...shared, imports }'])('is not added to %s', (metadata) => {
    expect(add(module(metadata))).toBeUndefined();
  });

  it('is found by its name', () => {
    expect(listed(ts, module('{ imports: [A, B.forRoot(), forwardRef(() => C)] }'), 'imports')).toEqual([
      'A',
      'B',
      'forwardRef',
    ]);
    expect(listed(ts, module('{}'), 'imports')).toEqual([]);
    expect(listed(ts, 'export class AppModule {}', 'imports')).toBeUndefined();
  });
});

describe('an import', () => {
  it.each([
    ['', "import { A } from 'a';\n"],
    ['import x from "x"\nx();\n', 'import x from "x"\nimport { A } from "a";\nx();\n'],
    ["import { B } from 'a';\n", "import { B, A } from 'a';\n"],
    ["import { A } from 'a';\n", "import { A } from 'a';\n"],
    ["import type { B } from 'a';\n", "import type { B } from 'a';\nimport { A } from 'a';\n"],
    // A type is no value, and a name is imported once.
    ["import type { A } from 'a';\n", "import { A } from 'a';\n"],
    ["import type { B, A, C as D } from 'a';\n", "import { type B, A, type C as D } from 'a';\n"],
    ["import { B, type A } from 'a';\n", "import { B, A } from 'a';\n"],
    ["import { B } from 'a';\nimport { A } from 'a';\n", "import { B } from 'a';\nimport { A } from 'a';\n"],
  ])('is added to %j', (before, after) => {
    expect(withImport(ts, before, { name: 'A', from: 'a' })).toBe(after);
  });
});

describe('main.ts', () => {
  const main = `import { NestFactory } from '@nestjs/core';
import { ShopModule } from './shop.module.js';

async function bootstrap() {
  const shop = await NestFactory.create<App>(ShopModule, { bufferLogs: true });
  await shop.listen(3000);
}
await bootstrap();
`;

  it('says which module is started', () => {
    expect(bootstrapOf(ts, main)).toMatchObject({
      application: { variable: 'shop' },
      module: 'ShopModule',
      from: './shop.module.js',
    });
    expect(bootstrapOf(ts, 'run(AppModule);')).toBeUndefined();
  });

  it.each([
    ['returned by a function', 'export const createApp = () => NestFactory.create(AppModule);'],
    [
      'assigned later',
      'const run = async () => {\n  let app;\n  app = await NestFactory.create(AppModule);\n};',
    ],
    ['an argument', 'const server = serverless(await NestFactory.create(AppModule));'],
    ['a promise', 'const app = NestFactory.create(AppModule);'],
    ['taken apart', 'const { listen } = await NestFactory.create(AppModule);'],
  ])('gets no shutdown hooks where its application is %s', (_, text) => {
    expect(bootstrapOf(ts, text)).toMatchObject({ module: 'AppModule' });
    expect(withShutdownHooks(ts, text)).toBeUndefined();
  });

  it('gets shutdown hooks for the variable of its application, whatever is around the call', () => {
    const text = 'const a = 1, app = (await NestFactory.create(AppModule)) as App;\n';
    expect(withShutdownHooks(ts, text)).toBe(`${text.trimEnd()}\napp.enableShutdownHooks();\n`);
  });

  it('gets shutdown hooks once', () => {
    const after = withShutdownHooks(ts, main) ?? '';
    expect(after).toBe(main.replace('true });\n', 'true });\n  shop.enableShutdownHooks();\n'));
    expect(withShutdownHooks(ts, after)).toBe(after);
  });
});
