// A guard or pipe that Nest would skip is an error at boot: an open door must be seen before anybody walks in.
import { describe, expect, it } from '@jest/globals';
import type { PlannedHandler } from '../discovery/handler-plan.js';
import { assertEnhancersRun } from './handler-invoker.js';
import { ENHANCER_KEYS, PARAMETERS_KEY } from './nest-internals.js';

class Mine {}

/** A handler whose module knows `known`, with something on its class, its method or a parameter. */
function handler(
  on: 'class' | 'method' | 'parameter',
  key: string,
  enhancer: unknown,
  known: unknown[] = [],
) {
  class Orders {
    place(): void {}
  }
  const { place } = Orders.prototype;
  if (on === 'class') Reflect.defineMetadata(key, [enhancer], Orders);
  if (on === 'method') Reflect.defineMetadata(key, [enhancer], place);
  if (on === 'parameter') {
    const parameters = { '3:0': { index: 0, pipes: [enhancer] } };
    Reflect.defineMetadata(PARAMETERS_KEY, parameters, Orders, 'place');
  }
  const host = {
    ...{ prototype: Orders.prototype, className: 'Orders' },
    module: { injectables: new Map(known.map((each) => [each, {}])) },
  };
  return { id: 'Orders.place', found: { host, method: 'place' } } as unknown as PlannedHandler;
}

const places = [
  ...Object.entries(ENHANCER_KEYS).flatMap(([kind, key]) => [
    ['class', kind, key] as const,
    ['method', kind, key] as const,
  ]),
  ['parameter', 'pipe', ''] as const,
];

describe('what is named by its class', () => {
  it.each(places)('on a %s, a %s, is refused unless the module can make it', (on, kind, key) => {
    expect(() => assertEnhancersRun(handler(on, key, Mine))).toThrow(
      new RegExp(`Orders\\.place uses the ${kind} Mine, which Nest`),
    );
    expect(() => assertEnhancersRun(handler(on, key, Mine, [Mine]))).not.toThrow();
    expect(() => assertEnhancersRun(handler(on, key, new Mine()))).not.toThrow();
  });
});
