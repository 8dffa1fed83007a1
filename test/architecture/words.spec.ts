// Files are named after things of AMQP and Nest, and say at their top why they exist. Names that fit everything
// say nothing.
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { type Source, files, sample, shippedSources, sources } from './sources.js';

const empty = /^(managers?|helpers?|utils?|utilities|base|common|impl|misc|stuff)$/;

function nameRule(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const word = path.split(/[/.-]/).find((each) => empty.test(each.toLowerCase()));
    return word === undefined ? [] : [`${path}: "${word}" says nothing; name the thing it is`];
  });
}

function openingRule(all: readonly Source[]): string[] {
  return all.flatMap(({ path, text }) => {
    const comments = ts.getLeadingCommentRanges(text, 0) ?? [];
    return comments.length > 0 ? [] : [`${path} does not open with a comment on why it exists`];
  });
}

describe('words', () => {
  it('no file has a name that says nothing', () => {
    expect(nameRule(files().filter((path) => /^(libs|apps|test|tools|bench)\//.test(path)))).toEqual([]);
  });

  it('every file opens with a comment on why it exists', () => {
    const support = sources((path) => path.startsWith('test/') && !path.endsWith('.spec.ts'));
    expect(openingRule([...shippedSources(), ...support])).toEqual([]);
  });

  it.each(['libs/amqp/src/utils/x.ts', 'libs/amqp/src/connection-manager.ts', 'apps/consumer/src/base.ts'])(
    '%s is a bad name',
    (path) => {
      expect(nameRule([path])).toHaveLength(1);
    },
  );

  it('a file without an opening comment is found, a shebang is none', () => {
    expect(openingRule([sample('a.ts', 'let a = 1; // why')])).toHaveLength(1);
    expect(openingRule([sample('a.ts', '#!/usr/bin/env node\nlet a;')])).toHaveLength(1);
    expect(openingRule([sample('a.ts', '#!/usr/bin/env node\n// Because.\nlet a;')])).toEqual([]);
  });
});
