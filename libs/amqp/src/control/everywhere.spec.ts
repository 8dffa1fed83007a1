// A command for all instances that cannot be written in time.

import { expect, it } from '@jest/globals';
import { settings } from '../options/settings.js';
import { systemClock } from '../runtime/clock.js';
import { SILENT } from '../runtime/logger.js';
import { Everywhere, type EverywhereDeps } from './everywhere.js';

/** One change; `connection` is where it is written. */
function changing(connection: object): Promise<unknown> {
  const everywhere = new Everywhere({
    settings: settings({ service: 'shop', logger: SILENT, publish: { timeout: 20 } }),
    clock: systemClock,
    fleet: { ask: () => Promise.resolve({ answers: [], missing: [] }) },
    connection: () => ({}),
    writing: () => connection,
  } as unknown as EverywhereDeps);
  return everywhere.change('shop', 'mails', { paused: true }, undefined);
}

it('one that was told as not written is not written later', async () => {
  let open = (): void => undefined;
  const asked: string[] = [];
  const channel = {
    closed: new Promise(() => undefined),
    declaring: { checkExchange: () => Promise.resolve(asked.push('exchange')) },
    listen: () => undefined,
    publish: () => asked.push('publish'),
    close: () => Promise.resolve(asked.push('close')),
  };
  const change = changing({
    opened: () => new Promise<void>((resolve) => (open = resolve)),
    openChannel: () => Promise.resolve(channel),
  });
  await expect(change).rejects.toThrow(/did not confirm a command for 'shop' in time/);
  open();
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(asked).not.toContain('publish');
});

it('none is written while the broker accepts no messages', async () => {
  const change = changing({ opened: () => Promise.resolve(), blocked: true });
  await expect(change).rejects.toThrow(/was not written: the broker accepts no messages now/);
});
