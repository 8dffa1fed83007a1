// Reads a file of any size line by line and sends each row. Memory stays small: at most 500 rows wait for their confirm.
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import { Rows } from './contracts.js';
import { Customers } from './customers.js';

const UNCONFIRMED = 500;

@Injectable()
export class FileReader {
  constructor(
    private readonly publisher: Publisher,
    private readonly customers: Customers,
  ) {}

  /** Resolves with the id of the import when it has begun; `read` when the broker has all rows. */
  async begin(path: string): Promise<{ importId: string; read: Promise<void> }> {
    const importId = randomUUID();
    let rows = 0;
    for await (const text of lines(path)) if (text !== '') rows++;
    this.customers.begin(importId, rows);
    return { importId, read: this.read(importId, path) };
  }

  private async read(importId: string, path: string): Promise<void> {
    let line = 0;
    let sending: Promise<unknown>[] = [];
    for await (const text of lines(path)) {
      line++;
      if (text === '') continue;
      sending.push(this.publisher.send(Rows, { importId, line, text }));
      if (sending.length < UNCONFIRMED) continue;
      await Promise.all(sending);
      sending = [];
    }
    await Promise.all(sending);
  }
}

async function* lines(path: string): AsyncGenerator<string> {
  const file = await open(path);
  for await (const line of file.readLines()) yield line;
}
