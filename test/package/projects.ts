// The two projects that the packed libraries are installed into: what the oldest supported users have (Nest 11,
// CommonJS, TypeScript 5 with the old way of finding types) and what a new one has (Nest 12, ESM, nodenext).
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Project {
  readonly name: string;
  readonly type: 'commonjs' | 'module';
  readonly dependencies: Readonly<Record<string, string>>;
  readonly compilerOptions: Readonly<Record<string, unknown>>;
}

export const nest11: Project = {
  name: 'nest11-commonjs',
  type: 'commonjs',
  dependencies: {
    '@nestjs/common': '^11.2.10',
    '@nestjs/core': '^11.2.10',
    '@nestjs/microservices': '^11.2.6',
    '@nestjs/testing': '^11.2.6',
    typescript: '~5.9.3',
  },
  compilerOptions: { module: 'commonjs', moduleResolution: 'node10' },
};

export const nest12: Project = {
  name: 'nest12-esm',
  type: 'module',
  dependencies: {
    '@nestjs/common': '^12.5.1',
    '@nestjs/core': '^12.5.1',
    '@nestjs/microservices': '^12.1.1',
    '@nestjs/testing': '^12.1.1',
    typescript: '~6.0.3',
  },
  compilerOptions: { module: 'nodenext', moduleResolution: 'nodenext' },
};

const source = fileURLToPath(new URL('application.ts', import.meta.url));

/** Writes the project into `folder` and installs it together with the packed libraries. */
export async function create(
  project: Project,
  folder: string,
  tarballs: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await cp(source, join(folder, 'application.ts'));
  const shared = {
    'reflect-metadata': '^0.2.2',
    rxjs: '^7.8.2',
    'prom-client': '^15.1.3',
    '@types/node': '^20.19.0',
  };
  const own = Object.fromEntries(Object.entries(tarballs).map(([name, path]) => [name, `file:${path}`]));
  await writeJson(join(folder, 'package.json'), {
    name: project.name,
    private: true,
    type: project.type,
    dependencies: { ...project.dependencies, ...shared, ...own },
  });
  await writeJson(join(folder, 'tsconfig.json'), {
    compilerOptions: {
      ...project.compilerOptions,
      target: 'ES2022',
      strict: true,
      esModuleInterop: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      skipLibCheck: true,
      types: ['node'],
      outDir: 'out',
    },
    files: ['application.ts'],
  });
  await program(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel', 'error'],
    folder,
    200_000,
  );
}

/**
 * Runs a program to its end and resolves to what it printed; rejects with it when the exit code is not 0, or when it
 * has not ended after `limit` ms. The limit is shorter than that of the test, so that no program outlives its test.
 */
export function program(
  name: string,
  args: readonly string[],
  cwd: string,
  limit = 100_000,
): Promise<string> {
  // Not the broker that the other tests use: these applications bring their own. With jest's NODE_ENV, the Nest CLI would
  // move no files.
  const { RABBITMQ_URL: _broker, NODE_OPTIONS: _options, NODE_ENV: _mode, ...env } = process.env;
  return new Promise((resolve, reject) => {
    execFile(
      name,
      args,
      { cwd, env, timeout: limit, killSignal: 'SIGKILL', encoding: 'utf8' },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else
          reject(
            new Error(
              `${name} ${args.join(' ')} failed${error.killed ? ` (no end after ${limit} ms)` : ''}:\n${stdout}\n${stderr}`,
              { cause: error },
            ),
          );
      },
    );
  });
}

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFile(path, JSON.stringify(value, undefined, 2));

/** What the project's own package.json says about a package it installed. */
export async function installed(folder: string, name: string): Promise<{ version: string }> {
  return JSON.parse(await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as {
    version: string;
  };
}
