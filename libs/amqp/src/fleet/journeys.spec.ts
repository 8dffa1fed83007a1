// What several instances tell of messages as one list, and what is read of an answer that a stranger wrote.
import { describe, expect, it } from '@jest/globals';
import type { ToldJourney } from '../plugins/journey-answer.js';
import type { AttemptStep, JourneyStep, SentStep } from '../plugins/journey.js';
import type { Fleet, FleetAnswer, FleetAnswers, FleetAskOptions, FleetInstance } from './fleet.js';
import { mergedJourneys, readJourneys } from './journeys.js';
import { traceMessage } from './trace-message.js';

const at = (ms: number): string => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
const sent = (ms: number, kind: SentStep['kind'] = 'publish'): SentStep => {
  return { what: 'sent', kind, at: at(ms), exchange: 'events', bytes: 2 };
};
const attempt = (ms: number, service: string): AttemptStep => {
  return { what: 'attempt', at: at(ms), handler: 'H.h', service, queue: 'q', attempt: 1 };
};
const told = (id: string, steps: JourneyStep[], more: Partial<ToldJourney> = {}): ToldJourney => {
  return { id, key: `key of ${id}`, exchange: 'events', routingKey: 'k', steps, ...more };
};

describe('journeys of several instances', () => {
  it('are one for each message, its steps by time, below the message that caused it', () => {
    const merged = mergedJourneys([
      { ...told('b', [attempt(9, 'mail')], { causeKey: 'key of a', causedBy: 'a' }), instance: 'mail' },
      { ...told('a', [attempt(4, 'bill'), sent(4, 'dead-letter')]), instance: 'bill' },
      { ...told('b', [sent(5)], { causeKey: 'key of a', by: 'bill' }), instance: 'bill' },
      { ...told('a', [sent(4)], { by: 'shop', leftOut: 2 }), instance: 'shop' },
    ]);
    expect(merged.map(({ id, depth, causedBy, by }) => [id, depth, causedBy, by])).toEqual([
      ['a', 0, undefined, 'shop'],
      ['b', 1, 'a', 'bill'],
    ]);
    expect(merged[0].steps.map(({ what, instance }) => `${what} ${instance}`)).toEqual([
      'sent shop',
      'attempt bill',
      'sent bill',
    ]);
    expect(merged[0].leftOut).toBe(2);
    expect(JSON.stringify(merged)).not.toContain('key of');
  });

  it('have no id of an idempotent call, also when its caller told it', () => {
    const merged = mergedJourneys([
      { ...told('secret', [sent(1, 'request')], { correlationId: 'secret' }), instance: 'shop' },
      { ...told('(id)', [attempt(2, 'bill')], { key: 'key of secret', hidden: true }), instance: 'bill' },
      { ...told('b', [sent(3)], { causeKey: 'key of secret', causedBy: 'secret' }), instance: 'bill' },
    ]);
    expect(merged.map(({ steps }) => steps.length)).toEqual([2, 1]);
    expect(JSON.stringify(merged)).not.toContain('secret');
  });

  it('do not go round in circles', () => {
    const merged = mergedJourneys([
      { ...told('a', [], { causeKey: 'key of b' }), instance: 'x' },
      { ...told('b', [sent(1)], { causeKey: 'key of a' }), instance: 'x' },
    ]);
    expect(merged).toHaveLength(2);
  });
});

describe('an answer of a journal', () => {
  it('is read as it was written', () => {
    const messages = [told('a', [sent(1), { ...attempt(2, 's'), error: { name: 'E', message: 'm' } }])];
    expect(readJourneys({ journal: 'j', messages, leftOut: 3 })).toEqual({
      journal: 'j',
      messages,
      leftOut: 3,
    });
  });

  it.each([undefined, null, 1, 'text', [], {}, { journal: 1, messages: [] }, { journal: 'j', messages: {} }])(
    'is none: %j',
    (value) => {
      expect(readJourneys(value)).toBeUndefined();
    },
  );

  it('loses what is not as it should be', () => {
    const steps = [
      null,
      {},
      { what: 'x' },
      { ...sent(1), at: 'soon' },
      { ...sent(1), took: 'long', error: 1 },
    ];
    const odd = { ...told('a', steps as JourneyStep[]), by: {}, body: 7, more: 1 };
    const read = readJourneys({ journal: 'j', messages: [null, 7, { id: 'b' }, odd], leftOut: 'x' });
    expect(read).toEqual({ journal: 'j', messages: [told('a', [sent(1)])], leftOut: 0 });
  });
});

it('a trace says which instances did not answer, know no journal, or answered nonsense', async () => {
  const from = (id: string): FleetInstance => ({ id, service: id }) as FleetInstance;
  const asked: unknown[] = [];
  const ask = (kind: string, payload: unknown, options: FleetAskOptions): Promise<FleetAnswers> => {
    asked.push([kind, payload, options.expect]);
    const info = ['a', 'b', 'c', 'd'].map((id) => ({
      from: from(id),
      value: { handlers: [{ deadQueue: `${id}.dead` }, 7] },
    }));
    const journeys: FleetAnswer[] = [
      { from: from('a'), value: { journal: 'j', messages: [told('m', [sent(1)]), told('n', [sent(2)])] } },
      { from: from('b'), error: { code: 'unknown', message: '' } },
      { from: from('c'), value: 'nonsense' },
    ];
    const answers = kind === 'info' ? info : journeys;
    return Promise.resolve({ answers, complete: kind === 'info', missing: [], unreadable: 0 });
  };
  const trace = await traceMessage({ ask } as Fleet, 'm');
  expect(trace.instances.map(({ journal, deadQueues }) => [journal, ...deadQueues])).toEqual([
    ['answered', 'a.dead'],
    ['unknown', 'b.dead'],
    ['unreadable', 'c.dead'],
    ['missing', 'd.dead'],
  ]);
  expect(trace).toMatchObject({ complete: false, messages: [{ id: 'm' }, { id: 'n' }] });
  expect(asked).toEqual([
    ['info', undefined, undefined],
    ['journey', { ids: ['m'], bodies: false }, 4],
    ['journey', { ids: ['n'], bodies: false }, 4],
  ]);
});
