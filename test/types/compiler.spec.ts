// Compiles right and wrong uses of contracts and options: the right ones without a word, each wrong one with the message
// that tells its author what to change.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = join(import.meta.dirname, '..', '..');
const right = ['contracts', 'options'].map((name) => join(import.meta.dirname, `${name}.ts`));
const wrong = ['contracts', 'options'].map((name) => join(import.meta.dirname, 'wrong', `${name}.ts`));

/** Complaints about each file, with their lines. */
function complaints(files: readonly string[]): Map<string, { line: number; text: string }[]> {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.spec.json'), (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files }, ts.sys, root);
  const program = ts.createProgram({ rootNames: files, options: { ...options, noUnusedLocals: false } });
  return new Map(
    files.map((file) => {
      const source = program.getSourceFile(file) as ts.SourceFile;
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [
        file,
        found.map(({ start = 0, messageText }) => ({
          line: source.getLineAndCharacterOfPosition(start).line + 1,
          text: ts.flattenDiagnosticMessageText(messageText, '\n'),
        })),
      ];
    }),
  );
}

const found = complaints([...right, ...wrong]);

it.each(right)('lets the right uses of %s compile', (file) => {
  expect(found.get(file)).toEqual([]);
});

describe.each(wrong)('%s', (file) => {
  const expected = (ts.sys.readFile(file) as string).split('\n').flatMap((line, index) => {
    const text = /^\s*\/\/ error: (.*)$/.exec(line)?.[1];
    return text === undefined ? [] : [{ line: index + 2, text }];
  });

  it.each(expected)('line $line is refused, with "$text"', ({ line, text }) => {
    const here = found.get(file)?.filter((complaint) => complaint.line === line) ?? [];
    expect(here.map((complaint) => complaint.text)).toEqual([expect.stringContaining(text)]);
  });

  it('has no other mistake', () => {
    const known = new Set(expected.map(({ line }) => line));
    expect(found.get(file)?.filter(({ line }) => !known.has(line))).toEqual([]);
    expect(known.size).toBeGreaterThan(6);
  });
});
