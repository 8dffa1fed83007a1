// Stores rows a hundred at a time: one statement for all of them. A bad row is dead-lettered alone.
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, RabbitBatchContext } from '@warren/nestjs';
import { type Row, Rows } from './contracts.js';
import { type Customer, Customers } from './customers.js';

@Injectable()
export class RowWriter {
  constructor(private readonly customers: Customers) {}

  // When it throws, for example because the database is down, the whole batch is retried.
  @Consume(Rows, { prefetch: 200, batch: { size: 100, wait: '100ms' } })
  async write(@Payload() rows: readonly Row[], @Ctx() { items }: RabbitBatchContext): Promise<void> {
    const good = new Map<string, Customer[]>();
    for (const [i, { importId, line, text }] of rows.entries()) {
      const [name = '', email = ''] = text.split(',');
      if (email.includes('@')) {
        good.set(importId, [...(good.get(importId) ?? []), { line, name, email }]);
      } else {
        await this.customers.reject(importId, line);
        items[i]?.reject(`line ${line}: no e-mail address`);
      }
    }
    for (const [importId, customers] of good) await this.customers.insert(importId, customers);
  }
}
