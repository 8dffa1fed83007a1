// Three customers: one whose endpoint fails twice, one whose endpoint is down for longer, one whose endpoint is gone.
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { DeadLetters, Publisher } from '@warren/nestjs';
import { AppModule } from './app.module.js';
import { DeadLetterRoutine } from './dead-letter-routine.js';
import { startEndpoint } from './endpoint.js';
import { Webhooks } from './webhooks.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const publisher = app.get(Publisher);
const deadLetters = app.get(DeadLetters);

let repaired = false;
const unsteady = await startEndpoint('unsteady', (asked) => (asked < 3 ? 503 : 200));
const down = await startEndpoint('down', () => (repaired ? 200 : 500));
const gone = await startEndpoint('gone', () => 410);
for (const { url } of [unsteady, down, gone]) await publisher.send(Webhooks, { url, event: { invoice: 17 } });

while (unsteady.accepted.length < 1 || (await deadLetters.count('webhooks')) < 2) await pause(20);
for await (const { error, errorMessage, reason, attempts } of deadLetters.peek('webhooks'))
  console.log(`dead: ${reason} after ${attempts}, ${error}: ${errorMessage?.replace(/ from .*/, '')}`);

repaired = true;
const { replayed, left } = await app.get(DeadLetterRoutine).run();
console.log(`routine: ${replayed} replayed, ${left} left`);
while (down.accepted.length < 1) await pause(20);

await app.close();
for (const endpoint of [unsteady, down, gone]) endpoint.close();
