// A transaction of a channel (tx.select): what it publishes and settles happens at tx.commit, publishes first, and is
// undone by tx.rollback. Messages are checked and routed when they come; what was settled keeps its place in the
// prefetch until the commit.
import { precondition } from '../model/failure.js';
import type { MemoryMeter } from '../model/memory-meter.js';
import type { Answers } from './channel-methods.js';
import { deliver, type Publication } from './publish.js';
import { carryOut, type End } from './settle-methods.js';
import type { Delivery } from './unacked.js';

interface Settlement {
  readonly deliveries: readonly Delivery[];
  readonly end: End;
}

export class Transaction {
  private publications: Publication[] = [];
  private settlements: Settlement[] = [];
  private bytes = 0;

  constructor(private readonly meter: MemoryMeter) {}

  publish(publication: Publication): void {
    const { cost } = publication.message;
    this.meter.arrive(cost);
    this.bytes += cost;
    this.publications.push(publication);
  }

  settle(deliveries: readonly Delivery[], end: End): void {
    this.settlements.push({ deliveries, end });
  }

  /** Hands out what there is, in order, and begins anew. */
  take(): { readonly publications: readonly Publication[]; readonly settlements: readonly Settlement[] } {
    const { publications, settlements } = this;
    this.publications = [];
    this.settlements = [];
    this.meter.arrived(this.bytes);
    this.bytes = 0;
    return { publications, settlements };
  }
}

export const transactionMethods: Answers = {
  'tx.select': (channel) => {
    if (channel.confirms) throw precondition('cannot switch from confirm to tx mode');
    channel.transaction ??= new Transaction(channel.connection.house.meter);
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
    const kept = channel.connection.house.journal?.syncNow() ?? true;
    if (!accepted || !kept) throw precondition('partial tx completion');
    channel.reply('tx.commit-ok', {});
  },

  'tx.rollback': (channel) => {
    transactionOf(channel.transaction);
    channel.rollback();
    channel.reply('tx.rollback-ok', {});
  },
};

function transactionOf(transaction: Transaction | undefined): Transaction {
  if (!transaction) throw precondition('channel is not transactional');
  return transaction;
}
