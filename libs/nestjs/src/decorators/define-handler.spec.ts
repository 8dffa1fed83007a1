import { describe, expect, it } from '@jest/globals';
import 'reflect-metadata';
import { Consume } from './consume.js';
import { HANDLER_KEY, type HandlerMark } from './define-handler.js';
import { RpcHandler } from './rpc-handler.js';
import { Subscribe } from './subscribe.js';

const factory = () => ({ queue: 'from.di' });

class Forms {
  @Consume('q')
  name(): void {}

  @Consume('q', { prefetch: 1 })
  nameAndOptions(): void {}

  @Consume({ queue: 'q' })
  options(): void {}

  @Consume(factory)
  fromFactory(): void {}

  @Subscribe(['a.*', 'b.#'], { broadcast: true })
  patterns(): void {}

  @RpcHandler('sum', factory)
  patternAndFactory(): void {}

  @Consume('first')
  @Consume('second')
  stacked(): void {}
}

const marks = (method: keyof Forms) =>
  Reflect.getMetadata(HANDLER_KEY, Forms.prototype[method]) as HandlerMark[];

describe('handler decorators', () => {
  it.each<[keyof Forms, HandlerMark[]]>([
    ['name', [{ kind: 'consume', patterns: ['q'], options: {} }]],
    ['nameAndOptions', [{ kind: 'consume', patterns: ['q'], options: { prefetch: 1 } }]],
    ['options', [{ kind: 'consume', patterns: [], options: { queue: 'q' } }]],
    ['fromFactory', [{ kind: 'consume', patterns: [], options: factory }]],
    ['patterns', [{ kind: 'subscribe', patterns: ['a.*', 'b.#'], options: { broadcast: true } }]],
    ['patternAndFactory', [{ kind: 'rpc', patterns: ['sum'], options: factory }]],
  ])('write down the form of %s', (method, expected) => {
    expect(marks(method)).toEqual(expected);
  });

  it('add up in the order they are written', () => {
    expect(marks('stacked').map(({ patterns }) => patterns)).toEqual([['first'], ['second']]);
  });

  it('tell their key', () => {
    expect([Consume.KEY, Subscribe.KEY, RpcHandler.KEY]).toEqual([HANDLER_KEY, HANDLER_KEY, HANDLER_KEY]);
  });
});
