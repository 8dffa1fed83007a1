// An event that nobody tells is a promise that is not kept: each kind of events/events.ts is emitted somewhere.
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { type Source, librarySources, nodes, sample } from './sources.js';

/** Kinds of the events in calls of `emit` and of functions that pass an event on to it. */
function told(files: readonly Source[]): Set<string> {
  const found = files.flatMap((source) =>
    nodes(source).flatMap((node) => {
      if (!ts.isCallExpression(node) || !/\bemit$/.test(node.expression.getText())) return [];
      const [event] = node.arguments;
      if (event === undefined || !ts.isObjectLiteralExpression(event)) return [];
      return event.properties.flatMap((property) =>
        ts.isPropertyAssignment(property) &&
        property.name.getText() === 'kind' &&
        ts.isStringLiteral(property.initializer)
          ? [property.initializer.text]
          : [],
      );
    }),
  );
  return new Set(found);
}

/** Kinds that the types name. */
function kinds(source: Source): string[] {
  return nodes(source).flatMap((node) =>
    ts.isPropertySignature(node) &&
    node.name.getText() === 'kind' &&
    node.type !== undefined &&
    ts.isLiteralTypeNode(node.type) &&
    ts.isStringLiteral(node.type.literal)
      ? [node.type.literal.text]
      : [],
  );
}

describe('events', () => {
  it('every kind is told by somebody', () => {
    const files = librarySources();
    const types = files.find(({ path }) => path === 'libs/amqp/src/events/events.ts') as Source;
    const all = told(files);
    expect(kinds(types).length).toBeGreaterThan(15);
    expect(kinds(types).filter((kind) => !all.has(kind))).toEqual([]);
  });

  it('a kind that is only a type is found', () => {
    const types = sample(
      'events.ts',
      `type A = { readonly kind: 'a' } | { readonly kind: 'b'; readonly x: 1 };`,
    );
    const file = sample('file.ts', `if (events.hasListeners('a')) this.context.events.emit({ kind: 'a' });`);
    expect(kinds(types).filter((kind) => !told([file]).has(kind))).toEqual(['b']);
  });
});
