// Three tenants: one floods the service, one has reports that fail, and one just wants its report. A fourth comes later.
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { DeadLetters, Publisher } from '@warren/nestjs';
import { AppModule } from './app.module.js';
import { type Report, ReportMaker } from './reports.js';
import { queueOf } from './tenant.js';
import { Tenants } from './tenants.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
const publisher = app.get(Publisher);
const tenants = app.get(Tenants);
const { made, peak } = app.get(ReportMaker);
const deadLetters = new DeadLetters();

// A real application reads them from its database.
for (const id of ['flood', 'broken', 'small']) await tenants.add({ id, concurrency: 2 });

const send = (tenant: string, report: Report): Promise<unknown> => publisher.send(queueOf(tenant), report);
await Promise.all(Array.from({ length: 200 }, (_, i) => send('flood', { name: `${i}` })));
await Promise.all(Array.from({ length: 3 }, (_, i) => send('broken', { name: `${i}`, broken: true })));
await send('small', { name: 'the only one' });

while (!made.includes('small: the only one')) await pause(5);
const before = made.indexOf('small: the only one');
console.log(`small: done, ${before < 150 ? 'long before' : 'after'} the 200 reports of flood`);

await tenants.add({ id: 'new', concurrency: 2 });
await send('new', { name: 'its first' });
while (!made.includes('new: its first')) await pause(5);
console.log('new: added and done, without a restart');

while (made.length < 202) await pause(20);
console.log(`flood: 200 done, at most ${peak.get('flood')} at once`);

while ((await deadLetters.count(queueOf('broken'))) < 3) await pause(20);
console.log(`broken: ${await deadLetters.count(queueOf('broken'))} in ${queueOf('broken')}.dead`);
await app.close();
