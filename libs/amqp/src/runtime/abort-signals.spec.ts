// One signal for thousands of publishes and calls: nothing is printed, nothing stays, the signal is as it was.

import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { offAbort, onAbort } from './abort-signals.js';

function listener(): { handleEvent(): void; heard: number } {
  return { heard: 0, handleEvent: () => undefined };
}

function listening(signal: AbortSignal, count: number) {
  return Array.from({ length: count }, () => {
    const one = listener();
    one.handleEvent = () => void one.heard++;
    onAbort(signal, one);
    return one;
  });
}

describe('a signal that many share', () => {
  it('has one listener however many there are, and none when all are gone', () => {
    const { signal } = new AbortController();
    const many = listening(signal, 1_000);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const one of many) offAbort(signal, one);
    for (const one of many) offAbort(signal, one);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const [again] = listening(signal, 1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    offAbort(signal, again);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('tells each that still listens once, also when one of them removes another', () => {
    const controller = new AbortController();
    const [first, second, third] = listening(controller.signal, 3);
    first.handleEvent = () => offAbort(controller.signal, second);
    controller.abort();
    expect([second.heard, third.heard]).toEqual([0, 1]);
  });
});
