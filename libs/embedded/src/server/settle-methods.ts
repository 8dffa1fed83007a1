// basic.ack, nack, reject, recover and confirm.select: what becomes of what was delivered or published.
import { AmqpFailure, precondition } from '../model/failure.js';
import type { Return } from '../model/queue.js';
import { Stream } from '../model/stream.js';
import type { Channel } from './channel.js';
import type { Answers } from './channel-methods.js';
import { Confirms } from './confirms.js';
import { type Delivery, requeue } from './unacked.js';

/** What becomes of a delivery: done with, rejected for good, or back to its queue. */
export type End = Return | 'done' | 'rejected';

export const settleMethods: Answers = {
  'basic.ack': (channel, { deliveryTag, multiple }) => {
    if (!multiple && !channel.transaction) {
      const { queue, held } = channel.unacked.settleOne(deliveryTag);
      queue.settle(held, 'done');
      channel.counters.ack += 1;
      channel.unacked.goOn();
      queue.pump();
      return;
    }
    settle(channel, channel.unacked.settle(deliveryTag, multiple), 'done');
  },

  'basic.nack': (channel, { deliveryTag, multiple, requeue: again }) => {
    refuse(channel, channel.unacked.settle(deliveryTag, multiple), again ? 'nack' : 'rejected');
  },

  'basic.reject': (channel, { deliveryTag, requeue: again }) => {
    refuse(channel, channel.unacked.settle(deliveryTag, false), again ? 'reject' : 'rejected');
  },

  'basic.recover': (channel, { requeue: again }) => {
    recover(channel, again);
    channel.reply('basic.recover-ok', {});
  },

  'basic.recover-async': (channel, { requeue: again }) => recover(channel, again),

  'confirm.select': (channel, { nowait }) => {
    if (channel.transaction) throw precondition('cannot switch from tx to confirm mode');
    channel.confirms ??= new Confirms(() => channel.connection.channels.owes(channel));
    if (!nowait) channel.reply('confirm.select-ok', {});
  },
};

function refuse(channel: Channel, deliveries: readonly Delivery[], end: End): void {
  for (const { queue } of deliveries) {
    if (!(queue instanceof Stream) || channel.connection.house.traits.filtersStreams) continue;
    throw queue.unsupported('basic.nack and basic.reject');
  }
  settle(channel, deliveries, end);
}

function settle(channel: Channel, deliveries: readonly Delivery[], end: End): void {
  if (channel.transaction) channel.transaction.settle(deliveries, end);
  else carryOut(channel, deliveries, end);
}

/** What a client said of these deliveries happens. */
export function carryOut(channel: Channel, deliveries: readonly Delivery[], end: End): void {
  if (end === 'done') channel.counters.ack += deliveries.length;
  if (end === 'done' || end === 'rejected') {
    for (const { queue, held } of deliveries) queue.settle(held, end);
  } else requeue(deliveries, end);
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
