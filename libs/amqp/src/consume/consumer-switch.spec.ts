// A consumer that is paused, resumed and given another prefetch, in any order and at any moment.
import { expect, it } from '@jest/globals';
import { ConsumerSwitch } from './consumer-switch.js';

const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const PAUSE = { by: 'control' as const, since: 0 };

function switched(paused = false, started: () => void = () => undefined) {
  const done: string[] = [];
  let finish: (() => void) | undefined;
  const state = new ConsumerSwitch(
    10,
    {
      hold: () => void done.push('hold'),
      release: () => {
        done.push('release');
        started();
      },
      halt: async (calledOff) => {
        done.push('halt');
        const quiet = new Promise<boolean>((resolve) => (finish = () => resolve(true)));
        return Promise.race([quiet, calledOff.then(() => false)]);
      },
    },
    paused ? PAUSE : undefined,
  );
  const taken = async (): Promise<string[]> => {
    await turns();
    return done.splice(0);
  };
  return { state, taken, quiet: () => finish?.() };
}

it('a pause is in force when the consumer has stopped, and a channel is opened only after it', async () => {
  const { state, taken, quiet } = switched();
  const ended: string[] = [];
  void state.apply({ pause: PAUSE }).then(() => ended.push('paused'));
  expect(await taken()).toEqual(['hold', 'halt']);
  expect(ended).toEqual([]);
  quiet();
  await turns();
  expect(ended).toEqual(['paused']);
  void state.opened().then(() => ended.push('opened'));
  // Again changes nothing.
  await state.apply({ pause: PAUSE });
  expect([await taken(), ended]).toEqual([[], ['paused']]);
  await state.apply({ pause: undefined });
  expect([await taken(), ended]).toEqual([['release'], ['paused', 'opened']]);
  await state.apply({ pause: undefined });
  expect(await taken()).toEqual([]);
});

it('resumed before it has stopped, it goes on where it was', async () => {
  const { state, taken } = switched();
  const paused = state.apply({ pause: PAUSE });
  expect(await taken()).toEqual(['hold', 'halt']);
  await Promise.all([state.apply({ pause: undefined }), paused]);
  expect([await taken(), state.stopping]).toEqual([['release'], false]);
});

it('another prefetch stops it and lets it go on with that; while it is paused, it is only written down', async () => {
  const { state, taken, quiet } = switched();
  const changed = state.apply({ prefetch: 5 });
  expect(await taken()).toEqual(['hold', 'halt']);
  quiet();
  await changed;
  expect([await taken(), state.take()]).toEqual([['release'], 5]);

  const paused = state.apply({ pause: PAUSE });
  await turns();
  quiet();
  await paused;
  await taken();
  await state.apply({ prefetch: 7 });
  expect(await taken()).toEqual([]);
  await state.apply({ pause: undefined });
  expect([await taken(), state.take()]).toEqual([['release'], 7]);
});

it('the same prefetch changes nothing, and a channel that is opened meanwhile has the new one', async () => {
  const { state, taken } = switched();
  await state.apply({ prefetch: 10 });
  expect(await taken()).toEqual([]);
  state.prefetch = 20;
  expect(state.take()).toBe(20);
  await state.apply({});
  expect(await taken()).toEqual([]);
});

it('narrow is a prefetch of one, and over when it is told so', async () => {
  const { state, taken, quiet } = switched();
  const narrowed = state.apply({ narrow: true });
  await turns();
  quiet();
  await narrowed;
  expect(state.take()).toBe(1);
  const wide = state.apply({ narrow: false });
  await turns();
  quiet();
  await wide;
  expect([await taken(), state.take()]).toEqual([['hold', 'halt', 'release', 'hold', 'halt', 'release'], 10]);
});

it('begins paused when it is told so', async () => {
  const { state, taken } = switched(true);
  expect([await taken(), state.stopping]).toEqual([['hold'], true]);
  await state.apply({ pause: undefined });
  expect(await taken()).toEqual(['release']);
});

it('ended in the middle of a pause, it stops nothing any more and keeps nobody waiting', async () => {
  const { state } = switched();
  const paused = state.apply({ pause: PAUSE });
  await turns();
  const opened = state.opened();
  state.end();
  state.letGo();
  await Promise.all([paused, opened]);
});

it.each(['at once', 'a moment later'])('what it starts with may pause it %s', async (when) => {
  const ended: string[] = [];
  const { state, taken, quiet } = switched(true, () => {
    const pause = (): void => void state.apply({ pause: PAUSE }).then(() => ended.push('paused'));
    if (when === 'at once') pause();
    else void Promise.resolve().then(pause);
  });
  void state.apply({ pause: undefined });
  expect([await taken(), ended]).toEqual([['hold', 'release', 'hold', 'halt'], []]);
  quiet();
  await turns();
  expect(ended).toEqual(['paused']);
});

it('a change that failed does not fail the next one', async () => {
  let fails = true;
  const { state, taken, quiet } = switched(true, () => {
    if (fails) throw new Error('it did not start');
  });
  await expect(state.apply({ pause: undefined })).rejects.toThrow('it did not start');
  fails = false;
  const paused = state.apply({ pause: PAUSE });
  await turns();
  quiet();
  await paused;
  await state.apply({ pause: undefined });
  expect([(await taken()).at(-1), state.stopping]).toEqual(['release', false]);
});
