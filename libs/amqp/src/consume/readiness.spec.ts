// What is told of a consumer that begins anew: a loss, or nothing when it was only renewed in case.
import { expect, it } from '@jest/globals';
import { counters } from '../events/events.js';
import { Events } from '../events/emitter.js';
import { systemClock } from '../runtime/clock.js';
import { Readiness, REFRESH } from './readiness.js';

function told() {
  const heard: string[] = [];
  const say = (line: string): void => void heard.push(line);
  const logger = { log: say, warn: say, error: say };
  const events = new Events(logger, 'test');
  events.on(({ kind }) => say(kind));
  const context = { clock: systemClock, counters: counters(), events, logger };
  return { readiness: new Readiness(context), heard, context };
}

it('a consumer that is renewed in case is not ready meanwhile, and nothing is told', () => {
  const { readiness, heard, context } = told();
  readiness.ready('q');
  readiness.lost('q', REFRESH);
  expect([typeof readiness.since, context.counters.consumersLost]).toEqual(['number', 0]);
  readiness.ready('q');
  expect([readiness.since, heard]).toEqual([undefined, ['consumer-ready']]);
});

it('one that cannot be brought back is told, and so is that it was', () => {
  const { readiness, heard } = told();
  readiness.lost('q', REFRESH);
  readiness.failed('q', new Error('no'), false);
  readiness.ready('q');
  expect(heard).toEqual([
    "cannot consume 'q' yet: Error: no; trying again",
    'consumer-failed',
    'consumer-ready',
  ]);
});

it('one that was lost and is back says for how long it was away', () => {
  const { readiness, heard, context } = told();
  let now = 1_000;
  Object.assign(context, { clock: { ...systemClock, monotonic: () => now } });
  readiness.ready('q');
  readiness.lost('q', 'closed');
  now += 2_000;
  readiness.lost('q', 'closed again');
  now += 3_500;
  readiness.ready('q');
  readiness.ready('q');
  expect(heard.filter((line) => /is back/.test(line))).toEqual(["the consumer of 'q' is back after 5.5s"]);
});
