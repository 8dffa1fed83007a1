// What is known of a queue by its name, before the plan is drawn and after it.
import { expect, it } from '@jest/globals';
import { settings } from '../options/settings.js';
import { TopologyBuilder } from './topology-builder.js';

it('a queue is a stream when somebody declares or consumes it as one', () => {
  const builder = new TopologyBuilder(settings({ service: 's' }));
  builder.declare({ queues: [{ name: 'log', queueType: 'stream' }, { name: 'jobs' }] }, 'a test');
  builder.register({
    ...{ kind: 'consume', id: 'Reader.read', patterns: ['feed'], options: { queueType: 'stream' } },
    handle: () => undefined,
  });
  const streams = (): boolean[] =>
    ['log', 'feed', 'jobs', 'foreign'].map((name) => builder.streams.has(name));
  expect(streams()).toEqual([true, true, false, false]);
  builder.build();
  expect(streams()).toEqual([true, true, false, false]);
});
