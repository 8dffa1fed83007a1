// Dispatches the methods of a channel to their files. Methods that a client must not send are refused here.
import { AmqpFailure } from '../model/failure.js';
import type { Method } from '../wire/methods.js';
import type { Answers, Channel } from './channel-context.js';
import { consumeMethods } from './consume-methods.js';
import { exchangeMethods } from './exchange-methods.js';
import { queueMethods } from './queue-methods.js';
import { settleMethods } from './settle-methods.js';

const sessionMethods: Answers = {
  'channel.open': () => {
    throw new AmqpFailure(504, "second 'channel.open' seen");
  },
  'channel.close': (channel) => {
    channel.detach();
    channel.flushConfirms('now');
    channel.release();
    channel.reply('channel.close-ok', {});
    channel.connection.channels.forget(channel);
  },
  'channel.close-ok': () => undefined,
  'channel.flow': (channel, { active }) => {
    if (!active) throw new AmqpFailure(540, 'active=false');
    channel.reply('channel.flow-ok', { active: true });
  },
  'channel.flow-ok': () => undefined,
  // A relic that some clients still send; there are no tickets.
  'access.request': (channel) => channel.reply('access.request-ok', { ticket: 1 }),
};

const answers: Answers = {
  ...sessionMethods,
  ...exchangeMethods,
  ...queueMethods,
  ...consumeMethods,
  ...settleMethods,
};

/** Handles a method. Throws an AmqpFailure when it is wrong. */
export function dispatch(channel: Channel, method: Method): void {
  // The table guarantees that the arguments belong to the name; TypeScript cannot follow that through the lookup.
  const answer = answers[method.name] as ((channel: Channel, args: Method['args']) => void) | undefined;
  if (!answer) throw new AmqpFailure(503, 'unimplemented method');
  answer(channel, method.args);
}
