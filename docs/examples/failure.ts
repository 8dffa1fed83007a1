// The ways in which a handler says what becomes of its message.
// #region signals
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, Drop, RabbitContext, Reject, Retry } from '@warren/nestjs';

interface Payment {
  readonly id: string;
  readonly state: 'new' | 'old' | 'wrong' | 'early';
}

@Injectable()
export class Payments {
  @Consume('payments', { retry: { attempts: 4, delays: ['1s', '10s', '1m'] }, timeout: '30s' })
  pay(@Payload() payment: Payment, @Ctx() context: RabbitContext): string {
    if (payment.state === 'early') throw Retry({ after: '5m' }); // again, in five minutes
    if (payment.state === 'wrong') throw Reject('no such account'); // to payments.dead, now
    if (payment.state === 'old') throw Drop(); // acked and forgotten
    if (context.attempt === 1) throw new Error('the bank is away'); // the policy: again in a second
    return payment.id; // acked
  }
}
// #endregion

// #region policy
class BankAway extends Error {}
class Forbidden extends Error {}

@Injectable()
export class Transfers {
  @Consume('transfers', { retry: { on: [BankAway], delays: '10s' } }) // others are dead-lettered at once
  transfer(@Payload() amount: number): void {
    if (amount > 1_000) throw new BankAway('try later');
  }

  @Consume('refunds', { retry: { not: [Forbidden] }, deadLetter: false }) // no refunds.dead: logged and dropped
  refund(@Payload() amount: number): void {
    if (amount > 1_000) throw new Forbidden('too much');
  }
}
// #endregion
