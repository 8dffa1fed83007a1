// What the shop does with its messages, and what goes wrong there on purpose, so that there is something to see.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitContext, RpcHandler, Subscribe } from '@warren/nestjs';
import { Order, OrderPlaced, PlaceOrder, Quote, Reminder, Report } from './contracts.js';

export class BankAway extends Error {}
export class CardExpired extends Error {}

/** How long the bank is away, and how often, in ms. */
const [AWAY, EVERY] = [15_000, 60_000];

@Injectable()
export class Orders {
  private last = 0;

  constructor(private readonly publisher: Publisher) {}

  @RpcHandler(PlaceOrder)
  async place(@Payload() order: Order): Promise<{ id: string }> {
    const id = String(++this.last);
    await this.publisher.publish(OrderPlaced, order, { params: { id } });
    await this.publisher.send(Reminder, { order: id }, { delay: '1m' });
    return { id };
  }

  @Consume(Reminder)
  async remind(): Promise<void> {
    await pause(10);
  }
}

@Injectable()
export class Payments {
  private readonly started = performance.now();

  @Subscribe(OrderPlaced, {
    queue: 'shop.payments',
    retry: { attempts: 3, delays: ['1s', '3s'], not: [CardExpired] },
  })
  async charge(@Payload() { card }: Order): Promise<void> {
    await pause(20 + 60 * Math.random());
    if (card === 'expired') throw new CardExpired('the card has expired');
    if ((performance.now() - this.started) % EVERY < AWAY) throw new BankAway('the bank answers 503');
  }
}

@Injectable()
export class Stock {
  @Subscribe(OrderPlaced, { queue: 'shop.stock' })
  async reserve(): Promise<void> {
    await pause(5 + 10 * Math.random());
  }
}

@Injectable()
export class Shipping {
  /** To Atlantis there is no answer: the caller gives up. */
  @RpcHandler(Quote)
  async quote(
    @Payload() { country }: { country: string },
    @Ctx() { signal }: RabbitContext,
  ): Promise<{ cents: number }> {
    if (country === 'Atlantis') await once(signal, 'abort');
    return { cents: 490 };
  }
}

@Injectable()
export class Reports {
  /** Begins paused: its messages wait until somebody resumes it on the board. */
  @Consume(Report, { paused: true })
  async write(): Promise<void> {
    await pause(200);
  }
}
