// A test that no project of the runner matches never fails. Every spec file belongs to one project; those that end
// in `.nest.spec.ts` run a second time, on Nest 11, and some on the client library's own path.
import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Source, files, lineOf, nodes, root, sample, sources } from './sources.js';
import ts from 'typescript';

interface Project {
  readonly displayName: string;
  readonly testMatch: readonly string[];
}

function runnerRule(paths: readonly string[], projects: readonly Project[]): string[] {
  return paths.flatMap((path) => {
    const found = projects.filter(({ testMatch }) => testMatch.some((glob) => matches(glob, path)));
    const names = found.map(({ displayName }) => displayName).join(' and ');
    const wanted = path.endsWith('.nest.spec.ts') ? /^e2e and nest11$/ : /^(\w+|e2e and client)$/;
    if (wanted.test(names)) return [];
    return [`${path} is matched by ${names === '' ? 'no project of jest.config.mjs: it never runs' : names}`];
  });
}

/** Enough of a glob for the patterns of jest.config.mjs: two stars with a slash are any folders, one is any name. */
function matches(glob: string, path: string): boolean {
  const pattern = glob
    .replace('<rootDir>/', '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*/g, (star) => (star === '*' ? '[^/]*' : '(?:.*/)?'));
  return new RegExp(`^${pattern}$`).test(path);
}

/** `it.skip`, `describe.only` and their like: tests that do not run, or that keep others from running. */
function skipRule(all: readonly Source[]): string[] {
  return all.flatMap((source) =>
    nodes(source).flatMap((node) => {
      if (!ts.isCallExpression(node)) return [];
      const called = node.expression.getText();
      const skips =
        /^(it|test|describe)\.(skip|only|todo|failing)\b|^(xit|xtest|xdescribe|fit|fdescribe)$/.test(called);
      return skips ? [`${source.path}:${lineOf(source, node)} says ${called}`] : [];
    }),
  );
}

describe('runner', () => {
  it('every spec file is run by exactly the projects meant for it', async () => {
    const url = pathToFileURL(join(root, 'jest.config.mjs')).href;
    const config = (await import(url)) as { default: { projects: Project[] } };
    const specs = files().filter((path) => /\.(spec|test)\.[cm]?[jt]s$/.test(path));
    // On a further RabbitMQ the same files run once more.
    const projects = config.default.projects.filter(({ displayName }) => !displayName.includes(' on '));
    expect(runnerRule(specs, projects)).toEqual([]);
  });

  it('no test is skipped, and none hides the others', () => {
    expect(skipRule(sources((path) => path.endsWith('.spec.ts')))).toEqual([]);
  });

  it('a file outside all projects, one in two, and one that misses Nest 11 are found', () => {
    const projects = [
      { displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'] },
      { displayName: 'nest11', testMatch: ['<rootDir>/test/**/*.nest.spec.ts'] },
      { displayName: 'extra', testMatch: ['<rootDir>/test/e2e/extra/*.spec.ts'] },
    ];
    const good = ['test/e2e/a.spec.ts', 'test/e2e/deep/down/b.spec.ts', 'test/e2e/c.nest.spec.ts'];
    expect(runnerRule(good, projects)).toEqual([]);
    const bad = ['test/else/a.spec.ts', 'test/e2e/extra/a.spec.ts', 'test/x/c.nest.spec.ts'];
    expect(runnerRule(bad, projects)).toHaveLength(3);
  });

  it('skipped and exclusive tests are found', () => {
    const text = ['it.skip("a", f);', 'describe.only("b", f);', 'xit("c", f);', 'it("it.skip", f);'].join(
      '\n',
    );
    expect(skipRule([sample('a.spec.ts', text)])).toHaveLength(3);
  });
});
