// The tenants of this process. Each has a handler of its own, which is added and removed while the others work.
import { Injectable } from '@nestjs/common';
import { type Delivery, RabbitControl } from '@warren/nestjs';
import { Report, ReportMaker } from './reports.js';
import { type Tenant, queueOf, runFor } from './tenant.js';

/** The name in the log, in dead letters and in `RabbitControl.handler`. */
const handlerOf = (tenant: string): string => `Reports(${tenant}).make`;

@Injectable()
export class Tenants {
  constructor(
    private readonly control: RabbitControl,
    private readonly maker: ReportMaker,
  ) {}

  /** Resolves when its queue is consumed: one with its own limits, retries and dead letters (`reports.<tenant>.dead`). */
  add({ id, concurrency }: Tenant): Promise<void> {
    return this.control.subscribe({
      kind: 'consume',
      id: handlerOf(id),
      patterns: [queueOf(id)],
      options: { schema: Report, prefetch: concurrency, retry: { attempts: 2, delays: '50ms' } },
      // The queue says whose message it is: headers and bodies are written by senders.
      handle: (delivery) => runFor(id, () => this.maker.make((delivery as Delivery).payload as Report)),
    });
  }

  /** Resolves when what runs is finished. The queue stays, and keeps what comes, until an operator deletes it. */
  remove(tenant: string): Promise<void> {
    return this.control.unsubscribe(handlerOf(tenant));
  }
}
