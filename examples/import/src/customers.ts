// Stands in for the database. What matters: a row that is stored twice is there once.
import { Injectable } from '@nestjs/common';
import type { Progress } from './contracts.js';

export interface Customer {
  readonly line: number;
  readonly name: string;
  readonly email: string;
}

@Injectable()
export class Customers {
  private readonly imports = new Map<
    string,
    { rows: number; stored: Map<number, Customer>; rejected: Set<number> }
  >();
  /** Number of statements, to compare with the number of rows. */
  statements = 0;

  begin(importId: string, rows: number): void {
    this.imports.set(importId, { rows, stored: new Map(), rejected: new Set() });
  }

  /** `insert into customers ... on conflict do nothing`, with many rows. */
  async insert(importId: string, customers: readonly Customer[]): Promise<void> {
    this.statements++;
    for (const customer of customers) this.of(importId).stored.set(customer.line, customer);
  }

  async reject(importId: string, line: number): Promise<void> {
    this.of(importId).rejected.add(line);
  }

  progress(importId: string): Progress {
    const { rows, stored, rejected } = this.of(importId);
    return { rows, stored: stored.size, rejected: rejected.size };
  }

  private of(importId: string): { rows: number; stored: Map<number, Customer>; rejected: Set<number> } {
    const found = this.imports.get(importId);
    if (found === undefined) throw new Error(`there is no import ${importId}`);
    return found;
  }
}
