// basic.ack, nack, reject, recover and confirm.select: what becomes of what was delivered or published.
import { AmqpFailure } from '../model/failure.js';
import type { Queue } from '../model/queue.js';
import type { Channel } from './channel.js';
import type { Answers } from './channel-methods.js';
import { Confirms } from './confirms.js';
import { type Delivery, requeue } from './unacked.js';

export const settleMethods: Answers = {
  'basic.ack': (channel, { deliveryTag, multiple }) => {
    const deliveries = channel.unacked.settle(deliveryTag, multiple);
    for (const { queue, held } of deliveries) queue.settle(held, 'done');
    goOn(channel, deliveries);
  },

  'basic.nack': (channel, { deliveryTag, multiple, requeue: again }) => {
    refuse(channel, channel.unacked.settle(deliveryTag, multiple), again);
  },

  'basic.reject': (channel, { deliveryTag, requeue: again }) => {
    refuse(channel, channel.unacked.settle(deliveryTag, false), again);
  },

  'basic.recover': (channel, { requeue: again }) => {
    recover(channel, again);
    channel.reply('basic.recover-ok', {});
  },

  'basic.recover-async': (channel, { requeue: again }) => recover(channel, again),

  'confirm.select': (channel, { nowait }) => {
    channel.confirms ??= new Confirms();
    if (!nowait) channel.reply('confirm.select-ok', {});
  },
};

function refuse(channel: Channel, deliveries: readonly Delivery[], again: boolean): void {
  if (again) requeue(deliveries);
  else for (const { queue, held } of deliveries) queue.settle(held, 'rejected');
  goOn(channel, deliveries);
}

function recover(channel: Channel, again: boolean): void {
  if (!again) throw new AmqpFailure(540, 'requeue=false');
  const deliveries = channel.unacked.takeAll();
  requeue(deliveries);
  goOn(channel, deliveries);
}

/** There is room again: for the queues settled, and with a channel limit for every queue of the channel. */
function goOn(channel: Channel, deliveries: readonly Delivery[]): void {
  const [only] = deliveries;
  if (deliveries.length === 1 && only && channel.unacked.limit === 0) {
    only.queue.pump();
    return;
  }
  const queues = new Set<Queue>(deliveries.map(({ queue }) => queue));
  if (channel.unacked.limit > 0) for (const queue of channel.waitingQueues()) queues.add(queue);
  for (const queue of queues) queue.pump();
}
