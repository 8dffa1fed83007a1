// What a contract and the options beside it say of a handler together.
import { describe, expect, it } from '@jest/globals';
import { event, queue, rpc, type Contract, type StandardSchema } from '@warren/amqp';
import type { HandlerMark, NestHandlerOptions } from '../decorators/define-handler.js';
import type { FoundHandler } from './handler-explorer.js';
import { planHandlers } from './handler-plan.js';

const schema = (vendor: string): StandardSchema => ({
  '~standard': { version: 1, vendor, validate: (value) => ({ value }) },
});
const [ofContract, ofOptions] = [schema('contract'), schema('options')];

const planned = (kind: HandlerMark['kind'], contract: Contract, options: NestHandlerOptions) => {
  const mark: HandlerMark = { kind, patterns: ['x'], contract, options };
  const found = { id: 'Orders.place', mark, namesakes: [] } as unknown as FoundHandler;
  return planHandlers([found], () => undefined as never, ['default'])[0].options;
};

describe('a contract beside options', () => {
  it.each<[string, HandlerMark['kind'], Contract, Contract]>([
    ['queue', 'consume', queue('x'), queue('x', { payload: ofContract })],
    ['event', 'subscribe', event('x'), event('x', { payload: ofContract })],
    ['rpc', 'rpc', rpc('x'), rpc('x', { request: ofContract })],
  ])('leaves them the schema when it has none: %s', (_name, kind, without, having) => {
    expect(planned(kind, without, { schema: ofOptions }).schema).toBe(ofOptions);
    expect(planned(kind, having, { schema: ofOptions }).schema).toBe(ofContract);
    expect(planned(kind, without, {}).schema).toBeUndefined();
  });

  it('leaves them the response, and adds its errors to theirs', () => {
    class SoldOut extends Error {}
    class NoPrice extends Error {}
    const errorsOf = (errors: (typeof SoldOut)[] | undefined, more?: (typeof SoldOut)[]) =>
      planned('rpc', rpc('x', { errors }), { errors: more }).errors;
    expect(planned('rpc', rpc('x'), { response: ofOptions }).response).toBe(ofOptions);
    expect(planned('rpc', rpc('x', { response: ofContract }), { response: ofOptions }).response).toBe(
      ofContract,
    );
    expect(errorsOf(undefined, [SoldOut])).toEqual([SoldOut]);
    expect(errorsOf([SoldOut], undefined)).toEqual([SoldOut]);
    expect(errorsOf([SoldOut], [NoPrice])).toEqual([SoldOut, NoPrice]);
  });
});
