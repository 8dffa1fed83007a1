// Files are named after concepts of AMQP and Nest, and say what they are for. Names that fit everything say nothing.
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

/** A file opens with a comment, or the class that it is about has a doc comment of a sentence or more. */
function openingRule(all: readonly Source[]): string[] {
  return all.flatMap((source) => {
    const opens = (ts.getLeadingCommentRanges(source.text, 0) ?? []).length > 0;
    const described = source.ast.statements.some(
      (node) => ts.isClassDeclaration(node) && docOf(node).length >= SENTENCE,
    );
    return opens || described ? [] : [`${source.path} does not say what it is for`];
  });
}

/** Shorter comments name a thing and do not describe it. */
const SENTENCE = 60;

const docOf = (node: ts.Node): string =>
  ts
    .getJSDocCommentsAndTags(node)
    .map((each) => ts.getTextOfJSDocComment(each.comment) ?? '')
    .join(' ');

/** Names of the first version that must not come back, and what is said instead. */
const former: readonly (readonly [RegExp, string])[] = [
  [/waiting[- _]?room/i, 'publish buffer'],
  [/not-sent-on|notSentOn/, 'forward-failed, forwardFailures'],
  [/settledTooLate|answersLost/, 'staleSettlements, repliesLost'],
  [/\bHandlerRoom\b|\bSettleRoom\b|\bStreamRoom\b/, 'context, or deps'],
  [/\bChannelLease\b|\bLanes\b|\bInFlight\b/, 'recovering channel, executor'],
  [/\bDataPlane\b|\bHotTraffic\b|\bknownText\b/, 'fast path, string cache'],
  [/\baskedBy\b|\bWishes\b|\bBlueprint\b/, 'declaredBy, declarations, topology builder'],
  [/\bReplyLine\b|\bControlLine\b|\bInbox\b/, 'reply channel, control publisher, pending calls'],
  [/\bDestinations\b|\bRenewal\b|\bPublication\b/, 'exchange cache, channel replacement, pending publish'],
  [/\bSoon</, 'MaybePromise'],
  [/See the top of the file/, 'the sentences themselves, on the class'],
  [
    /\b(rooms?|house|desk|wish(es)?|lanes?|replyDesk)\b/i,
    'buffer, context, client, declarations, queue, direct replies',
  ],
  [/in peace|so many at most|lie behind them/, 'plain words'],
];

function formerRule(all: readonly Source[]): string[] {
  return all.flatMap(({ path, text }) =>
    former.flatMap(([pattern, instead]) => {
      const found = pattern.exec(text);
      return found ? [`${path} says "${found[0]}"; say ${instead}`] : [];
    }),
  );
}

describe('words', () => {
  it('no former name comes back', () => {
    expect(
      formerRule(sources((path) => /^(libs|apps|tools|bench|test\/(support|faults|e2e))\//.test(path))),
    ).toEqual([]);
  });

  it('a former name is found', () => {
    expect(formerRule([sample('a.ts', 'const room = new WaitingRoom();')])).toEqual([
      'a.ts says "WaitingRoom"; say publish buffer',
      'a.ts says "room"; say buffer, context, client, declarations, queue, direct replies',
    ]);
  });

  it('no file has a name that says nothing', () => {
    expect(nameRule(files().filter((path) => /^(libs|apps|test|tools|bench)\//.test(path)))).toEqual([]);
  });

  it('every file says what it is for, at its top or on its class', () => {
    const support = sources((path) => path.startsWith('test/') && !path.endsWith('.spec.ts'));
    expect(openingRule([...shippedSources(), ...support])).toEqual([]);
  });

  it.each(['libs/amqp/src/utils/x.ts', 'libs/amqp/src/connection-manager.ts', 'apps/consumer/src/base.ts'])(
    '%s is a bad name',
    (path) => {
      expect(nameRule([path])).toHaveLength(1);
    },
  );

  it('a file that does not say what it is for is found, a shebang does not', () => {
    expect(openingRule([sample('a.ts', 'let a = 1; // why')])).toHaveLength(1);
    expect(openingRule([sample('a.ts', "import 'b';\n/** Runs. */\nclass A {}")])).toHaveLength(1);
    expect(openingRule([sample('a.ts', `import 'b';\n/** ${'word '.repeat(20)} */\nclass A {}`)])).toEqual(
      [],
    );
    expect(openingRule([sample('a.ts', '#!/usr/bin/env node\nlet a;')])).toHaveLength(1);
    expect(openingRule([sample('a.ts', '#!/usr/bin/env node\n// Because.\nlet a;')])).toEqual([]);
  });
});
