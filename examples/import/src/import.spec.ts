// A file from its first line to the last row in the database. On an embedded broker, or on RabbitMQ at RABBITMQ_URL.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RabbitTesting } from '@warren/nestjs/testing';
import { AppModule } from './app.module.js';
import { type Progress, WatchImport } from './contracts.js';
import { Customers } from './customers.js';
import { FileReader } from './file-reader.js';

describe('import', () => {
  let rabbit: RabbitTesting;
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'import-'));
    rabbit = await RabbitTesting.start({ imports: [AppModule] });
  });

  afterEach(async () => {
    await rabbit.stop();
    await rm(folder, { recursive: true });
  });

  async function file(rows: readonly string[]): Promise<string> {
    const path = join(folder, 'customers.csv');
    await writeFile(path, rows.join('\n'));
    return path;
  }

  const customers = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `C${i},c${i}@example.com`);

  it('all good rows are stored, in batches, and the bad ones are dead-lettered one by one', async () => {
    const path = await file([...customers(450), 'Nobody,nowhere', '', ...customers(49)]);
    const { importId, read } = await rabbit.get(FileReader).begin(path);
    await read;
    await rabbit.idle();

    const store = rabbit.get(Customers);
    expect(store.progress(importId)).toEqual({ rows: 500, stored: 499, rejected: 1 });
    expect(store.statements).toBeLessThan(50);
    const [bad, ...others] = rabbit.dead('import.rows');
    expect(String(bad?.error)).toContain('line 451: no e-mail address');
    expect(others).toEqual([]);
  });

  it('who watches sees the numbers grow, until all rows are done', async () => {
    const { importId, read } = await rabbit.get(FileReader).begin(await file(customers(300)));
    const seen: Progress[] = [];
    for await (const progress of rabbit.publisher.stream(WatchImport, { importId })) seen.push(progress);
    await read;

    expect(seen.at(-1)).toEqual({ rows: 300, stored: 300, rejected: 0 });
    const stored = seen.map((each) => each.stored);
    expect(stored).toEqual([...stored].sort((one, other) => one - other));
  });

  it('rows that are delivered again are stored once', async () => {
    const store = rabbit.get(Customers);
    jest.spyOn(store, 'insert').mockRejectedValueOnce(new Error('the database is down'));
    const { importId, read } = await rabbit.get(FileReader).begin(await file(customers(100)));
    await read;
    await rabbit.idle();

    expect(store.progress(importId)).toEqual({ rows: 100, stored: 100, rejected: 0 });
    expect(rabbit.dead('import.rows')).toEqual([]);
  });
});
