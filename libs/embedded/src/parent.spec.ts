// The broker ends with what started it; the processes are pretended here, real ones are in test/package.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Processes, whenParentEnds } from './parent.js';

// npm (10) has started a shell (20), which has started this process.
let alive: Set<number>;
let parent: number;
const ended = jest.fn();
const processes: Processes = {
  parent: () => parent,
  parentOf: (pid) => (pid === 20 ? 10 : undefined),
  isAlive: (pid) => alive.has(pid),
};
const later = (): void => void jest.advanceTimersByTime(1_100);

beforeEach(() => {
  jest.useFakeTimers();
  ended.mockClear();
  [alive, parent] = [new Set([10, 20]), 20];
});
afterEach(() => void jest.useRealTimers());

describe('the end of the parent', () => {
  it('is told once, when this process has another parent', () => {
    whenParentEnds(ended, false, processes);
    later();
    expect(ended).not.toHaveBeenCalled();
    parent = 1;
    later();
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it('is told where a process keeps its parent for ever', () => {
    whenParentEnds(ended, false, processes);
    alive.delete(20);
    later();
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it('is told when npm has ended and its shell has not', () => {
    whenParentEnds(ended, true, processes);
    alive.delete(10);
    later();
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it('is not that of a terminal above the shell', () => {
    whenParentEnds(ended, false, processes);
    alive.delete(10);
    later();
    expect(ended).not.toHaveBeenCalled();
  });

  it('is never told to a process that the init process has started', () => {
    parent = 1;
    whenParentEnds(ended, true, processes);
    alive.clear();
    later();
    expect(ended).not.toHaveBeenCalled();
  });
});
