// The table of what the contract corpus holds: for each part, how many checks hold as which version, and which of them differ
// between the versions. Read from the spec files as they stand.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../run.mjs';

const folder = 'test/contract';
/** Who the checks of a part run on. */
const VERSIONS = { onEachVersion: ['3.10', '4'], onBothBrokers: ['3.10', '4'], onEmbedded: ['4'] };
/** Checks of the embedded broker itself: compared with RabbitMQ elsewhere. */
/** @typedef {{ title: string, versions: readonly string[], differs: boolean }} Check */

const LEFT_OUT = new Set(['differences.spec.ts']);

/**
 * The rows: part, checks as 3.10, checks as 4, what differs.
 *
 * @param {(heads: readonly string[], rows: readonly (readonly string[])[]) => string} table
 */
export function contractTable(table) {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.spec.ts') && !LEFT_OUT.has(name))
    .sort();
  /** @type {Map<string, { file: string, checks: Check[] }>} */
  const rows = new Map();
  for (const part of files.flatMap(partsOf)) {
    const row = rows.get(part.title) ?? { file: part.file, checks: [] };
    row.checks.push(...part.checks);
    rows.set(part.title, row);
  }
  const lines = [...rows].map(([title, { file, checks }]) => {
    /** @param {string} version */
    const on = (version) => String(checks.filter(({ versions }) => versions.includes(version)).length);
    const differing = checks.filter(({ differs }) => differs).map(({ title: text }) => text);
    return [`[${title}](../${folder}/${file})`, on('3.10'), on('4'), [...new Set(differing)].join('; ')];
  });
  return table(['part', "checks as `'3.10'`", "as `'4'`", 'in which the two differ'], lines);
}

/** @param {string} name */
function partsOf(name) {
  const text = readFileSync(join(root, folder, name), 'utf8');
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);
  return source.statements.flatMap((statement) => {
    const call = ts.isExpressionStatement(statement) && statement.expression;
    if (!call || !ts.isCallExpression(call) || !(call.expression.getText() in VERSIONS)) return [];
    const versions = VERSIONS[/** @type {keyof typeof VERSIONS} */ (call.expression.getText())];
    return [
      {
        file: name,
        title: /** @type {ts.StringLiteral} */ (call.arguments[0]).text,
        checks: checksIn(call.arguments[1], versions),
      },
    ];
  });
}

/**
 * Every `it` and `it.each`; one that returns at once as some version is not one of that.
 *
 * @param {import('typescript').Node} node
 * @param {readonly string[]} versions
 */
function checksIn(node, versions) {
  /** @type {Check[]} */
  const found = [];
  /** @param {import('typescript').Node} each */
  const visit = (each) => {
    if (ts.isCallExpression(each) && /^it(\.each|$)/.test(each.expression.getText().split('(')[0])) {
      const body = each.arguments.at(-1)?.getText() ?? '';
      const [title] = each.arguments;
      if (title && ts.isStringLiteralLike(title)) {
        const only4 = /if \(!broker\.since\('4\.\d'\)\) return;/.test(body);
        const only3 = /if \(broker\.since\('4\.\d'\)\) return;/.test(body);
        const runs = versions.filter((version) => (version === '4' ? !only3 : !only4));
        const plain = title.text.replace(/%[sdjp]/g, '…').replaceAll('|', '¦');
        found.push({ title: plain, versions: runs, differs: /\.since\('4/.test(body) });
        return;
      }
    }
    ts.forEachChild(each, visit);
  };
  visit(node);
  return found;
}
