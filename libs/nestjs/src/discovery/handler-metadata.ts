// Reads what the handler decorators wrote: which methods of a class handle messages, and how.

import type { MetadataScanner } from '@nestjs/core';
import { HANDLER_KEY, type HandlerMark } from '../decorators/define-handler.js';

/** A method with its marks. */
export interface MarkedMethod {
  readonly method: string;
  readonly marks: readonly HandlerMark[];
}

/** The handlers of a class, inherited ones included. */
export function markedMethods(scanner: MetadataScanner, prototype: object): MarkedMethod[] {
  return scanner.getAllMethodNames(prototype).flatMap((method) => {
    const implementation = (prototype as Record<string, unknown>)[method];
    if (typeof implementation !== 'function') return [];
    const marks = Reflect.getOwnMetadata(HANDLER_KEY, implementation) as HandlerMark[] | undefined;
    return marks ? [{ method, marks }] : [];
  });
}
