// Random scripts of publish, get, consume, ack, nack, requeue, purge and reopened channels, on queues with random
// arguments: what the embedded broker shows is what RabbitMQ shows.
import { expect, it } from '@jest/globals';
import { onBothBrokers, onEmbedded } from '../support/brokers.js';
import { observe, queueScript, type QueueScript } from './queue-script.js';
import { seeded, times } from './random.js';

const kinds = [
  ['messages are got', false],
  ['messages are pushed to consumers', true],
] as const;

onBothBrokers('Random queue scripts', (embedded, rabbitmq) => {
  // RabbitMQ is many processes, and now and then two runs of one script on it differ. What the embedded broker shows
  // must be something that RabbitMQ shows.
  const compare = async (script: QueueScript): Promise<void> => {
    const answer = await observe(embedded, script);
    let truth = await observe(rabbitmq, script);
    for (let again = 0; again < 2 && answer.join() !== truth.join(); again++)
      truth = await observe(rabbitmq, script);
    const first = answer.findIndex((line, n) => line !== truth[n]);
    const around = (lines: readonly string[]): string[] =>
      first < 0 ? [...lines] : lines.slice(Math.max(0, first - 12), first + 4);
    // The settings in front, so that a difference can be read without the script.
    const settings = JSON.stringify(script.queue.arguments);
    expect([settings, ...around(answer)]).toEqual([settings, ...around(truth)]);
    expect(answer).toHaveLength(truth.length);
  };

  it.each(kinds)('show the same when %s', (_, consumers) =>
    seeded(async (chance) => {
      for (const script of times(25, () => queueScript(chance, 60, consumers))) await compare(script);
    }),
  );
});

onEmbedded('Random queue scripts', (embedded) => {
  it.each(kinds)('show the same twice when %s', (_, consumers) =>
    seeded(async (chance) => {
      for (const script of times(5, () => queueScript(chance, 60, consumers))) {
        expect(await observe(embedded, script)).toEqual(await observe(embedded, script));
      }
    }),
  );
});
