// basic.ack, nack, reject, recover and confirm.select: what becomes of what was delivered or published.
import { AmqpFailure } from '../model/failure.js';
import type { Return } from '../model/queue.js';
import { Stream } from '../model/stream.js';
import type { Channel } from './channel.js';
import type { Answers } from './channel-methods.js';
import { Confirms } from './confirms.js';
import { type Delivery, requeue } from './unacked.js';

export const settleMethods: Answers = {
  'basic.ack': (channel, { deliveryTag, multiple }) => {
    if (!multiple) {
      const { queue, held } = channel.unacked.settleOne(deliveryTag);
      queue.settle(held, 'done');
      channel.unacked.goOn();
      queue.pump();
      return;
    }
    const deliveries = channel.unacked.settle(deliveryTag, true);
    for (const { queue, held } of deliveries) queue.settle(held, 'done');
    goOn(channel, deliveries);
  },

  'basic.nack': (channel, { deliveryTag, multiple, requeue: again }) => {
    refuse(channel, channel.unacked.settle(deliveryTag, multiple), again && 'nack');
  },

  'basic.reject': (channel, { deliveryTag, requeue: again }) => {
    refuse(channel, channel.unacked.settle(deliveryTag, false), again && 'reject');
  },

  'basic.recover': (channel, { requeue: again }) => {
    recover(channel, again);
    channel.reply('basic.recover-ok', {});
  },

  'basic.recover-async': (channel, { requeue: again }) => recover(channel, again),

  'confirm.select': (channel, { nowait }) => {
    channel.confirms ??= new Confirms(() => channel.connection.channels.owes(channel));
    if (!nowait) channel.reply('confirm.select-ok', {});
  },
};

function refuse(channel: Channel, deliveries: readonly Delivery[], again: Return | false): void {
  for (const { queue } of deliveries) {
    if (!(queue instanceof Stream) || channel.connection.house.traits.filtersStreams) continue;
    throw queue.unsupported('basic.nack and basic.reject');
  }
  if (again) requeue(deliveries, again);
  else for (const { queue, held } of deliveries) queue.settle(held, 'rejected');
  goOn(channel, deliveries);
}

function recover(channel: Channel, again: boolean): void {
  if (!again) throw new AmqpFailure(540, 'requeue=false');
  const deliveries = channel.unacked.takeAll();
  requeue(deliveries, 'nack');
  goOn(channel, deliveries);
}

/** There is room again: for whoever waited for room on the channel, and for the queues settled. */
function goOn(channel: Channel, deliveries: readonly Delivery[]): void {
  // First who was refused for want of room: a consumer that just settled something would take its turn.
  channel.unacked.goOn();
  for (const queue of new Set(deliveries.map((delivery) => delivery.queue))) queue.pump();
}
