// What a control does whose broker object closes meanwhile.

import { expect, it } from '@jest/globals';
import { systemClock } from '../runtime/clock.js';
import { settings } from '../options/settings.js';
import { controlOf, type ControlParts } from './broker-control.js';

it('a handler that is added while the broker object opens is refused when that closes first', async () => {
  let open = (): void => undefined;
  let opening: Promise<void> | undefined = new Promise((resolve) => (open = resolve));
  let made = 0;
  const control = controlOf({
    settings: settings({}),
    clock: systemClock,
    topologyBuilder: { handlers: [] },
    fleet: {},
    consumers: () => undefined,
    opened: () => opening,
    make: () => {
      made++;
      throw new Error('too late');
    },
  } as unknown as ControlParts);
  const handler = { kind: 'consume', id: 'late', patterns: ['late'], options: {}, handle: () => 1 } as const;
  const added = control.subscribe(handler);
  await new Promise((resolve) => setImmediate(resolve));
  opening = undefined;
  open();
  await expect(added).rejects.toThrow('the broker object is not open');
  expect(made).toBe(0);
});
