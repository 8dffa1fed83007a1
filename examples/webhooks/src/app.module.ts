import { Module } from '@nestjs/common';
import { DeadLetters, RabbitModule } from '@warren/nestjs';
import { DeadLetterRoutine } from './dead-letter-routine.js';
import { WebhookSender } from './webhooks.js';

@Module({
  imports: [RabbitModule.forRoot({ service: 'webhooks', development: 'embedded' })],
  // A client of its own, like the command `npx warren dead`; it connects only while it works.
  providers: [
    WebhookSender,
    DeadLetterRoutine,
    { provide: DeadLetters, useFactory: () => new DeadLetters() },
  ],
})
export class AppModule {}
