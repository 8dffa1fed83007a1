// basic.ack, nack, reject, recover, confirm.select and tx.*.
import { AmqpFailure, precondition } from '../model/failure.js';
import { Stream } from '../model/stream.js';
import type { Answers, Channel } from './channel-context.js';
import { Confirms } from './confirms.js';
import { deliver } from './publish.js';
import { type End, Transaction } from './transaction.js';
import { requeue, type UnackedDelivery } from './unacked.js';

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

  'tx.select': (channel) => {
    if (channel.confirms) throw precondition('cannot switch from confirm to tx mode');
    channel.transaction ??= new Transaction(channel.connection.context.meter);
    channel.unacked.deferred = true;
    channel.reply('tx.select-ok', {});
  },

  'tx.commit': (channel) => {
    const { publications, settlements } = transactionOf(channel.transaction).take();
    let accepted = true;
    for (const publication of publications) accepted = deliver(channel, publication).accepted && accepted;
    for (const { deliveries, end } of settlements) {
      for (const delivery of deliveries) channel.unacked.letGo(delivery);
      carryOut(channel, deliveries, end);
    }
    const kept = channel.connection.context.journal?.syncNow() ?? true;
    if (!accepted || !kept) throw precondition('partial tx completion');
    channel.reply('tx.commit-ok', {});
  },

  'tx.rollback': (channel) => {
    transactionOf(channel.transaction);
    channel.rollback();
    channel.reply('tx.rollback-ok', {});
  },
};

function refuse(channel: Channel, deliveries: readonly UnackedDelivery[], end: End): void {
  for (const { queue } of deliveries) {
    if (!(queue instanceof Stream) || channel.connection.context.traits.filtersStreams) continue;
    throw queue.unsupported('basic.nack and basic.reject');
  }
  settle(channel, deliveries, end);
}

function settle(channel: Channel, deliveries: readonly UnackedDelivery[], end: End): void {
  if (channel.transaction) channel.transaction.settle(deliveries, end);
  else carryOut(channel, deliveries, end);
}

/** What a client said of these deliveries happens. */
export function carryOut(channel: Channel, deliveries: readonly UnackedDelivery[], end: End): void {
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

/** The prefetch allows more messages: serves the consumers that waited for it, and the queues of the settled messages. */
function goOn(channel: Channel, deliveries: readonly UnackedDelivery[]): void {
  // First the consumers that had to wait: one that has just settled would take their place.
  channel.unacked.goOn();
  for (const queue of new Set(deliveries.map((delivery) => delivery.queue))) queue.pump();
}

function transactionOf(transaction: Transaction | undefined): Transaction {
  if (!transaction) throw precondition('channel is not transactional');
  return transaction;
}
