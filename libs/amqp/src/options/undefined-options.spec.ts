// An option that is undefined is one that was left out: as it comes from an environment variable that is not set.
import { describe, expect, it } from '@jest/globals';
import { planHandler, type HandlerRegistration } from '../topology/handler-plan.js';
import { BROKER_OPTIONS, HANDLER_OPTIONS } from './option-table.js';
import { settings } from './settings.js';

const undefinedFor = (table: readonly { readonly name: string }[]): Record<string, undefined> =>
  Object.fromEntries(table.map(({ name }) => [name, undefined]));

describe('options that are undefined', () => {
  it('of a connection are the defaults', () => {
    const shown = (options: object): unknown => ({ ...settings(options), logger: undefined });
    expect(shown(undefinedFor(BROKER_OPTIONS))).toEqual(shown({}));
    expect(
      shown({ publish: { timeout: undefined }, reconnect: { min: undefined }, rpc: { reply: undefined } }),
    ).toEqual(shown({}));
  });

  it.each<[HandlerRegistration['kind']]>([['consume'], ['subscribe'], ['rpc']])(
    'of @%s are the defaults',
    (kind) => {
      const handle = (): void => undefined;
      const plan = (options: object): unknown => ({
        ...planHandler({ kind, id: 'A.b', patterns: ['q'], options, handle }, settings({})),
        registration: undefined,
      });
      expect(plan(undefinedFor(HANDLER_OPTIONS))).toEqual(plan({}));
    },
  );
});
