// Compiles right and wrong uses of contracts: the right ones without a word, each wrong one with the message that
// tells its author what to change.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = join(import.meta.dirname, '..', '..');
const RIGHT = join(import.meta.dirname, 'contracts.ts');
const WRONG = join(import.meta.dirname, 'wrong', 'contracts.ts');

/** Line numbers of the complaints about a file, with their texts. */
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

describe('the types of contracts', () => {
  const found = complaints([RIGHT, WRONG]);
  const lines = (ts.sys.readFile(WRONG) as string).split('\n');
  const expected = lines.flatMap((line, index) => {
    const text = /^\s*\/\/ error: (.*)$/.exec(line)?.[1];
    return text === undefined ? [] : [{ line: index + 2, text }];
  });

  it('let right uses compile', () => {
    expect(found.get(RIGHT)).toEqual([]);
  });

  it.each(expected)('refuse line $line of the wrong uses, and say "$text"', ({ line, text }) => {
    const here = found.get(WRONG)?.filter((complaint) => complaint.line === line) ?? [];
    expect(here.map((complaint) => complaint.text)).toEqual([expect.stringContaining(text)]);
  });

  it('refuse nothing else', () => {
    const known = new Set(expected.map(({ line }) => line));
    expect(found.get(WRONG)?.filter(({ line }) => !known.has(line))).toEqual([]);
    expect(known.size).toBeGreaterThan(6);
  });
});
