// Three trips: one is booked; for one there is no room; for one the payment never answers.
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { TripSaga } from './trip-saga.js';
import { Trips } from './trips.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });

for (const city of ['Lisbon', 'Paris', 'Oslo']) {
  const id = randomUUID();
  await app.get(TripSaga).begin({ id, city });
  while (!/booked|cancelled/.test(app.get(Trips).find(id)?.state ?? '')) await pause(20);
}

await app.close();
