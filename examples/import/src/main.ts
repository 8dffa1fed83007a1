// Imports a file of 2000 lines, three of them bad, and shows how it gets on. `npm start -- customers.csv` takes another.
import 'reflect-metadata';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { DeadLetters, Publisher } from '@warren/nestjs';
import { AppModule } from './app.module.js';
import { WatchImport } from './contracts.js';
import { Customers } from './customers.js';
import { FileReader } from './file-reader.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });

const folder = await mkdtemp(join(tmpdir(), 'import-'));
const given = process.argv.slice(2).find((argument) => argument.endsWith('.csv'));
const path = given ?? (await sample(join(folder, 'customers.csv')));

const { importId, read } = await app.get(FileReader).begin(path);
let quarter = 0;
for await (const progress of app.get(Publisher).stream(WatchImport, { importId }, { timeout: '10m' })) {
  const done = (progress.stored + progress.rejected) / progress.rows;
  while (quarter < 4 && done >= (quarter + 1) / 4) console.log(`${++quarter * 25} %`);
  if (done === 1) console.log(`${progress.stored} stored, ${progress.rejected} rejected`);
}
await read;
const few = app.get(Customers).statements < 200;
console.log(`with ${few ? 'fewer' : 'more'} than 200 statements`);
for await (const letter of new DeadLetters().peek('import.rows')) console.log(`dead: ${letter.errorMessage}`);

await app.close();
await rm(folder, { recursive: true });

async function sample(file: string): Promise<string> {
  const rows = Array.from({ length: 2_000 }, (_, i) =>
    i % 800 === 99 ? `Customer ${i},unknown` : `Customer ${i},customer${i}@example.com`,
  );
  await writeFile(file, rows.join('\n'));
  return file;
}
