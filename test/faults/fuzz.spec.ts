// Random and mutated frames against the embedded broker for a few seconds, beside a client that must not notice; the seed
// stands in the output. Five minutes of it are the last part of `npm run faults`.
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Child } from '../../tools/demo/child.mjs';

const MINUTES = 300_000;

it.each(['4', '3.10'])(
  'strangers that send anything cost a good client nothing (as %s)',
  async (version) => {
    const program = join(import.meta.dirname, '..', '..', 'tools', 'fuzz.mjs');
    const child = new Child('the fuzz', [program, '--seconds', '4', '--version', version]);
    const { code } = await child.ended;
    const said = child.all('line').map(({ text }) => String(text));
    expect([code, child.complaints]).toEqual([0, '']);
    expect(said.join('\n')).toMatch(/^[1-9]\d+ sessions of strangers, seed \d+; [1-9]\d* rounds/m);
  },
  MINUTES,
);
