// Tells whoever watches an import how far it is.
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { RabbitContext, RpcHandler } from '@warren/nestjs';
import { type Progress, WatchImport } from './contracts.js';
import { Customers } from './customers.js';

@Injectable()
export class ImportProgress {
  constructor(private readonly customers: Customers) {}

  // Ends with the import, or when nobody watches any more: then the signal aborts.
  @RpcHandler(WatchImport)
  async *watch(
    @Payload() { importId }: { importId: string },
    @Ctx() { signal }: RabbitContext,
  ): AsyncGenerator<Progress> {
    for (let told = -1; ;) {
      const progress = this.customers.progress(importId);
      const done = progress.stored + progress.rejected;
      if (done > told) yield progress;
      if (done === progress.rows) return;
      told = done;
      await pause(20, undefined, { signal });
    }
  }
}
