// Where a stream ends, so that "from now on" is a place and not a moment: a reader that has got nothing yet when it loses
// its connection would skip what was published meanwhile.

import type { Channel } from 'amqplib';
import type { Clock } from '../runtime/clock.js';

/** Silence after which a stream is taken to have no more, in ms, */
const SILENCE = 100;
/** and the most time that is spent on it. */
const PATIENCE = 2_000;

/** The offset at which `next` or `last` of a stream begins now; undefined when it did not tell in time. */
export async function streamEnd(
  channel: Channel,
  queue: string,
  offset: 'next' | 'last',
  clock: Clock,
): Promise<number | undefined> {
  const { messageCount } = await channel.checkQueue(queue);
  let first: number | undefined;
  let last: number | undefined;
  let arrived: () => void = () => undefined;
  await channel.prefetch(1_000);
  const options = { arguments: { 'x-stream-offset': 'last' } };
  await channel.consume(
    queue,
    (message) => {
      if (message === null) return;
      const at: unknown = message.properties.headers?.['x-stream-offset'];
      if (typeof at === 'number') {
        first ??= at;
        last = at;
      }
      channel.ack(message);
      arrived();
    },
    options,
  );
  const until = clock.monotonic() + PATIENCE;
  for (let silent = false; !silent && clock.monotonic() < until;) {
    silent = await new Promise<boolean>((resolve) => {
      const cancel = clock.after(SILENCE, () => resolve(messageCount === 0 || last !== undefined));
      arrived = () => (cancel(), resolve(offset === 'last'));
    });
  }
  if (last === undefined) return messageCount === 0 ? 0 : undefined;
  return offset === 'last' ? first : last + 1;
}
