// Nothing in the tree knows the machine it was written on, or leaves work for later: no absolute paths of somebody's
// folders, no notes to oneself.
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { files, root } from './sources.js';

const rules: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /(?:^|[\s'"`(=])\/(?:work|root|tmp|home|Users)\/[\w.]/, what: "a path of somebody's machine" },
  { pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/, what: 'a note to oneself' },
];

function placeRule(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const broken = rules.find(({ pattern }) => pattern.test(line));
    return broken === undefined
      ? []
      : [`${path}:${index + 1} holds ${broken.what}: ${line.trim().slice(0, 80)}`];
  });
}

describe('places', () => {
  it('no file holds a path of a machine or a note to oneself', () => {
    const texts = files().filter(
      (path) =>
        /\.(m?[jt]s|md|json|ya?ml)$|^\.ci\//.test(path) && path !== 'test/architecture/places.spec.ts',
    );
    expect(texts.flatMap((path) => placeRule(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });

  it.each(["const log = '/tmp/log.txt';", 'see /home/me/notes', '// TODO: later'])('found: %s', (line) => {
    expect(placeRule('a.ts', line)).toHaveLength(1);
  });

  it.each(['https://host/tmp/x', 'libs/root/x', 'todo lists', "tmpdir() + '/x'"])('not found: %s', (line) => {
    expect(placeRule('a.ts', line)).toEqual([]);
  });
});
