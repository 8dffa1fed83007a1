// A burst of messages that fail: their errors cost little, and those of the application are as they were.
import { expect, it } from '@jest/globals';
import { unroutable } from '../publish/pending-send.js';
import { timedOut } from '../rpc/client/call.js';
import { withoutFrames } from './errors.js';

const message = {
  exchange: '',
  routingKey: 'gone',
  content: Buffer.alloc(0),
  properties: { messageId: 'm' },
};
const frames = ({ stack = '' }: Error): number =>
  stack.split('\n').filter((line) => /^\s+at /.test(line)).length;

it('errors that messages end with carry no frames, others do', () => {
  expect(frames(unroutable(message as never))).toBe(0);
  expect(frames(timedOut(message as never, 1, 'id', undefined))).toBe(0);
  expect(unroutable(message as never)).toMatchObject({ code: 'WARREN_UNROUTABLE' });
  expect(frames(new Error('one of the application'))).toBeGreaterThan(0);
});

it('what cannot be made changes nothing for others', () => {
  const failing = (): Error => {
    throw new RangeError('no');
  };
  expect(() => withoutFrames(failing)).toThrow(RangeError);
  expect(frames(new Error('one of the application'))).toBeGreaterThan(0);
});
