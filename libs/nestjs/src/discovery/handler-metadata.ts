// Reads what the decorators of methods wrote: which methods of a class handle messages or hear events, and how.

import type { MetadataScanner } from '@nestjs/core';

/** A method with its marks. */
export interface MarkedMethod<Mark> {
  readonly method: string;
  readonly marks: readonly Mark[];
}

/** The methods of a class with marks under a key, inherited ones included. */
export function markedMethods<Mark>(
  scanner: MetadataScanner,
  prototype: object,
  key: string,
): MarkedMethod<Mark>[] {
  return scanner.getAllMethodNames(prototype).flatMap((method) => {
    const implementation = (prototype as Record<string, unknown>)[method];
    if (typeof implementation !== 'function') return [];
    const marks = Reflect.getOwnMetadata(key, implementation) as Mark[] | undefined;
    return marks ? [{ method, marks }] : [];
  });
}
