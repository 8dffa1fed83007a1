// The work: the same for every tenant. It learns from its context for whom it works.
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { currentTenant } from './tenant.js';

/** `broken` is set for a report that cannot be made. */
export const Report = z.object({ name: z.string(), broken: z.boolean().optional() });
export type Report = z.infer<typeof Report>;

@Injectable()
export class ReportMaker {
  /** What was made, and for whom, in this order. */
  readonly made: string[] = [];
  private readonly running = new Map<string, number>();
  /** How many reports of a tenant were made at once, at most. */
  readonly peak = new Map<string, number>();

  async make({ name, broken }: Report): Promise<void> {
    const tenant = currentTenant();
    const running = (this.running.get(tenant) ?? 0) + 1;
    this.running.set(tenant, running);
    this.peak.set(tenant, Math.max(running, this.peak.get(tenant) ?? 0));
    try {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (broken) throw new Error(`the report ${name} cannot be made`);
      this.made.push(`${tenant}: ${name}`);
    } finally {
      this.running.set(tenant, (this.running.get(tenant) ?? 0) - 1);
    }
  }
}
