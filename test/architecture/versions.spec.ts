// The packages are released together: they have one version, and name each other by exactly that version. What makes the
// next one is tools/version.mjs.
import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { librarySources, root } from './sources.js';
import { released, summary } from '../../tools/version.mjs';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const packages = ['libs', 'apps', 'examples']
  .flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(root, folder, name, 'package.json')),
  )
  .filter((path) => existsSync(path))
  .map((path) => JSON.parse(readFileSync(path, 'utf8')) as Package);

/** Sentences about packages of another version, and about those that are named by another. */
function versionRule(all: readonly Package[], version: string): string[] {
  return all.flatMap((each) => {
    const named = Object.entries({ ...each.dependencies, ...each.peerDependencies });
    const others = named.filter(([name, range]) => name.startsWith('@warren/') && range !== version);
    return [
      ...(each.version === version ? [] : [`${each.name} is ${each.version}, not ${version}`]),
      ...others.map(([name, range]) => `${each.name} wants ${name} ${range}, not ${version}`),
    ];
  });
}

describe('versions', () => {
  it('all packages have one, and name each other by it', () => {
    expect(versionRule(packages, packages[0].version)).toEqual([]);
    expect(packages.length).toBeGreaterThan(4);
  });

  it('what is told to others in the code is that one', () => {
    const told = librarySources().flatMap(({ path, text }) =>
      [...text.matchAll(/\bVERSION = '([^']+)'/g)].map(([, version]) => `${path}: ${version}`),
    );
    expect(told.filter((each) => !each.endsWith(`: ${packages[0].version}`))).toEqual([]);
  });

  it('another one is found', () => {
    const all = [
      { name: 'a', version: '1.0.0', dependencies: { '@warren/b': '0.9.0' } },
      { name: '@warren/b', version: '0.9.0' },
    ];
    expect(versionRule(all, '1.0.0')).toEqual([
      'a wants @warren/b 0.9.0, not 1.0.0',
      '@warren/b is 0.9.0, not 1.0.0',
    ]);
  });

  it('the next version takes what was unreleased, and the lines of the changesets', () => {
    const text = '# Changelog\n\n## [Unreleased]\n\n- one\n\n## [0.1.0]\n\n- old\n';
    const lines = [summary('---\n"@warren/amqp": minor\n---\n\ntwo,\nin two lines\n')];
    expect(released(text, '0.2.0', '2026-12-01', lines)).toBe(
      '# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n- one\n\n- two,\n  in two lines\n\n## [0.1.0]\n\n- old\n',
    );
  });
});
