// The tables of the pages, from what the code works with: nobody types a default twice.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { root } from '../run.mjs';
import { callTables } from './calls.mjs';
import { contractTable } from './contract.mjs';
import { mistakeRows } from './mistakes.mjs';
import { instrumentTable } from './monitoring.mjs';
import { performanceTables } from './performance.mjs';
import { promiseTable } from './promises.mjs';
import { reliabilityTables } from './reliability.mjs';

const options = 'libs/amqp/src/options';

/** Where the instruments of metrics are. */
export const instruments = 'libs/amqp/src/plugins/instruments.ts';

/** Members that mean the same everywhere and carry no comment. */
const plain = {
  name: 'Its name.',
  arguments: 'AMQP arguments as they go over the wire. Default: none.',
  declare: "Default `'create'`.",
  exchange: 'By name it must exist; as an object it is declared.',
  keys: 'Several keys or patterns.',
};

/** Every table by its name. */
export async function tables() {
  const { BROKER_OPTIONS, HANDLER_OPTIONS } = await load(`${options}/option-table.ts`);
  const { features } = await load('test/contract/features.ts');
  const { ATTRIBUTES, EVENTS, SPANS } = await load('libs/opentelemetry/src/conventions.ts');
  return {
    'broker-options': optionTable(BROKER_OPTIONS),
    'handler-options': optionTable(HANDLER_OPTIONS),
    'module-options': memberTable('libs/nestjs/src/module-options.ts', 'RabbitModuleOptions'),
    'publish-options': memberTable(`${options}/publish-options.ts`, 'PublishOptions'),
    'request-options': memberTable(`${options}/publish-options.ts`, 'RequestOptions'),
    'stream-options': memberTable(`${options}/publish-options.ts`, 'StreamOptions'),
    'gather-options': memberTable(`${options}/publish-options.ts`, 'GatherOptions'),
    receipt: memberTable(`${options}/publish-options.ts`, 'PublishReceipt'),
    'retry-options': memberTable(`${options}/options.ts`, 'RetryOptions'),
    'exchange-options': memberTable(`${options}/options.ts`, 'ExchangeOptions'),
    'binding-options': memberTable(`${options}/options.ts`, 'BindingOptions'),
    'embedded-options': memberTable('libs/embedded/src/embedded-broker.ts', 'EmbeddedBrokerOptions'),
    events: table(['event', 'what it says', 'fields'], eventRows('libs/amqp/src/events/events.ts')),
    'tracing-options': memberTable('libs/opentelemetry/src/options.ts', 'OpenTelemetryOptions'),
    ...pluginTables(),
    'span-names': table(
      ['span', 'kind', 'is around'],
      Object.values(SPANS).map(({ name, kind, about }) => [code(name), kind, about]),
    ),
    'span-attributes': table(
      ['attribute', 'of', 'says'],
      Object.entries(ATTRIBUTES).map(([name, { on, about }]) => [code(name), on.join(', '), about]),
    ),
    'span-events': table(
      ['event', 'says'],
      Object.entries(EVENTS).map(([name, about]) => [code(name), about]),
    ),
    'contract-mistakes': table(['wrong use', 'the message holds'], mistakeRows()),
    promises: promiseTable(table),
    ...reliabilityTables(table),
    ...callTables(table),
    ...performanceTables(table),
    features: table(
      ['feature', 'on the embedded broker', 'because', 'what a client is told'],
      Object.entries(features).map(([name, { sentence, reason, refusal }]) => [
        ...[name, sentence, reason],
        refusal === undefined ? '' : code(refusal),
      ]),
    ),
    contract: contractTable(table),
    instruments: instrumentTable(table, await load(instruments)),
  };
}

/** What plugins are given. */
function pluginTables() {
  const file = 'libs/amqp/src/plugins/plugin.ts';
  return {
    'plugin-message': memberTable(file, 'PublishContext', 'member'),
    'plugin-result': memberTable(file, 'PublishResult', 'member'),
    'plugin-handler': memberTable(file, 'HandlerInfo', 'member'),
    'plugin-host': memberTable(file, 'PluginHost', 'member'),
    verdicts: table(
      ['outcome', 'what becomes of the message', 'fields'],
      eventRows('libs/amqp/src/message/delivery.ts'),
    ),
  };
}

/** @param {readonly { name: string, type: string, default: string, meaning: string }[]} rows */
function optionTable(rows) {
  return table(
    ['option', 'type', 'default', 'meaning'],
    rows.map((row) => [code(row.name), row.type, row.default, row.meaning]),
  );
}

/**
 * Members of an interface with their types and what their comments say.
 *
 * @param {string} file
 * @param {string} name
 * @param {string} head
 */
function memberTable(file, name, head = 'option') {
  const ast = parsed(file);
  const found = ast.statements.filter(ts.isInterfaceDeclaration).find((each) => each.name.text === name);
  if (found === undefined) throw new Error(`${file} has no interface ${name}`);
  const described = found.members
    .filter((each) => ts.isPropertySignature(each) || ts.isMethodSignature(each))
    .filter((each) => head !== 'option' || ts.isPropertySignature(each));
  const rows = described.map((member) => {
    const comments = ts.getJSDocCommentsAndTags(member).map((each) => ts.getTextOfJSDocComment(each.comment));
    const meaning =
      flat(comments.join(' ')) || plain[/** @type {keyof typeof plain} */ (member.name.getText())];
    if (!meaning) throw new Error(`${file}: ${name}.${member.name.getText()} has no comment`);
    return [code(member.name.getText()), code(typeText(signature(member))), meaning];
  });
  return table([head, 'type', 'meaning'], rows);
}

/** @param {ts.PropertySignature | ts.MethodSignature} member */
function signature(member) {
  if (ts.isPropertySignature(member)) return member.type?.getText() ?? 'unknown';
  const parameters = member.parameters.map((each) => each.getText()).join(', ');
  return `(${parameters}) => ${member.type?.getText() ?? 'void'}`;
}

/**
 * What a field whose type is a literal says.
 *
 * @param {ts.TypeElement} field
 */
function kindOf(field) {
  const { literal } = /** @type {ts.LiteralTypeNode} */ (/** @type {ts.PropertySignature} */ (field).type);
  return /** @type {ts.StringLiteral} */ (literal).text;
}

/**
 * Each member of the unions of events: its kind, the comment before it, and its other fields.
 *
 * @param {string} file
 */
function eventRows(file) {
  const ast = parsed(file);
  const unions = ast.statements
    .filter(ts.isTypeAliasDeclaration)
    .map((each) => each.type)
    .filter(ts.isUnionTypeNode);
  const members = unions.flatMap((each) => each.types).filter(ts.isTypeLiteralNode);
  return members.map((member) => {
    const names = member.members.map((each) => each.name?.getText());
    const kind = kindOf(member.members[names.indexOf('kind')]);
    // The comment stands before the `|` that begins the member.
    const { types } = /** @type {ts.UnionTypeNode} */ (member.parent);
    const before = types[types.indexOf(member) - 1]?.end ?? member.parent.pos;
    const text = ast.text.slice(before, member.getStart(ast, false));
    const meaning = flat(/\/\*\*(.*?)\*\//s.exec(text)?.[1].replace(/^\s*\*/gm, '') ?? '');
    if (!meaning) throw new Error(`${file}: the event ${kind} has no comment`);
    return [
      code(kind),
      meaning,
      names
        .filter((name) => name !== 'kind')
        .map(code)
        .join(', '),
    ];
  });
}

/** @param {string} file */
function parsed(file) {
  return ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.ES2022, true);
}

/** @param {readonly string[]} heads @param {readonly (readonly string[])[]} rows */
function table(heads, rows) {
  /** @param {readonly string[]} cells */
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

/** @param {string} text */
const flat = (text) => text.replace(/\s+/g, ' ').trim();
/** @param {string | undefined} text */
const code = (text) => `\`${text}\``;

/**
 * A TypeScript file of the tree as a module, with the relative imports it needs. Nothing has to be built for it.
 *
 * @param {string} file
 */
export async function load(file) {
  const folder = mkdtempSync(join(tmpdir(), 'warren-docs-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    transpile(file, folder, new Set());
    return await import(pathToFileURL(join(folder, file.replace(/\.ts$/, '.js'))).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} file @param {string} folder @param {Set<string>} done */
function transpile(file, folder, done) {
  if (done.has(file)) return;
  done.add(file);
  const text = readFileSync(join(root, file), 'utf8');
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    isolatedModules: true,
  };
  const { outputText } = ts.transpileModule(text, { compilerOptions });
  const target = join(folder, file.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, outputText);
  for (const { fileName } of ts.preProcessFile(outputText).importedFiles) {
    if (!fileName.startsWith('.')) continue;
    const next = relative(root, join(root, dirname(file), fileName)).replace(/\.js$/, '.ts');
    transpile(next, folder, done);
  }
}

// That undefined may be written for what is left out says the question mark already.
/** @param {string} text */
function typeText(text) {
  const short = flat(text.replace(/\s*\| undefined\b/g, '')).replace(/^\| /, '');
  return /^\(.*=>.*\)$/.test(short) ? short.slice(1, -1) : short;
}
