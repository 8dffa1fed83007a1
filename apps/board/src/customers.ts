// Those who order at the shop: a message now and then, for as long as it is open.
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import { PlaceOrder, Quote, Report } from './contracts.js';

/** Between two orders, in ms. */
const PACE = 700;

@Injectable()
export class Customers implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private count = 0;

  constructor(private readonly publisher: Publisher) {}

  onApplicationBootstrap(): void {
    this.next();
    this.timer = setInterval(() => this.next(), PACE);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private next(): void {
    // What fails is shown by the board.
    void Promise.allSettled(this.messages(this.count++));
  }

  /** The first ones are of all kinds: the board is not empty for long. */
  private messages(count: number): Promise<unknown>[] {
    const { publisher } = this;
    const every = (n: number, send: () => Promise<unknown>): Promise<unknown>[] =>
      count % n === 0 ? [send()] : [];
    const card = count % 9 === 0 ? 'expired' : 'valid';
    return [
      publisher.request(PlaceOrder, { sku: count % 2 ? 'carrot' : 'leek', count: 1 + (count % 3), card }),
      ...every(3, () => publisher.request(Quote, { country: 'Portugal' })),
      ...every(12, () => publisher.request(Quote, { country: 'Atlantis' }, { timeout: '6s' })),
      ...every(15, () => publisher.send(Report, { number: count })),
      // An old program, which knows nothing of the contract.
      ...every(30, () => publisher.publish('order.old.placed', { article: 'turnip', count: '2' })),
    ];
  }
}
