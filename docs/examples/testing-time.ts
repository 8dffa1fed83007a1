// A test that does not wait for the waits of its retries, as docs/testing.md shows it.
// #region test
import { Injectable } from '@nestjs/common';
import { Consume, RabbitModule } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';

@Injectable()
class Invoices {
  @Consume('invoices') // the default policy: five attempts, 1 s, 5 s, 30 s and 2 m apart
  mail(): void {
    throw new Error('the mail server is away');
  }
}

const rabbit = await RabbitTesting.start({
  imports: [RabbitModule.forRoot({ service: 'billing' })],
  providers: [Invoices],
  waits: 'real',
});
await rabbit.publisher.send('invoices', { id: 7 });
await rabbit.advance('6s');
console.log(rabbit.failed(Invoices, 'mail').length, rabbit.dead('invoices').length);
await rabbit.advance('2m30s');
console.log(rabbit.failed(Invoices, 'mail').length, rabbit.dead('invoices').length);
await rabbit.stop();
// #endregion
