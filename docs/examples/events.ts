// What docs/events.md shows. Compiled with everything else, and run by test/docs.
// #region listen
import { Injectable, Logger } from '@nestjs/common';
import { OnRabbitEvent, type BrokerEventOf } from '@warren/nestjs';

@Injectable()
export class Operations {
  private readonly logger = new Logger(Operations.name);

  @OnRabbitEvent('disconnected')
  lost({ connection, reason }: BrokerEventOf<'disconnected'>): void {
    this.logger.warn(`page somebody: ${connection} is gone (${reason})`);
  }

  @OnRabbitEvent(['consumer-lost', 'consumer-failed'])
  idle({ queue }: BrokerEventOf<'consumer-lost' | 'consumer-failed'>): void {
    this.logger.warn(`nobody here consumes ${queue}`);
  }
}
// #endregion

// #region metrics
/** Any metrics library has something like these two. */
export interface Meters {
  count(name: string, labels: Record<string, string>): void;
  time(name: string, ms: number, labels: Record<string, string>): void;
}

@Injectable()
export class RabbitMetrics {
  constructor(private readonly meters: Meters) {}

  @OnRabbitEvent('handled')
  handled({ handler, queue, verdict, ms }: BrokerEventOf<'handled'>): void {
    // ack, drop, retry, dead-letter, ... and for a dead letter why.
    const outcome = verdict.kind === 'dead-letter' ? verdict.reason : verdict.kind;
    this.meters.count('messages_handled', { handler, queue, outcome });
    this.meters.time('handler_ms', ms, { handler });
  }

  @OnRabbitEvent('published')
  published({ exchange, outcome }: BrokerEventOf<'published'>): void {
    // No routing key and no message id as a label: there are too many of them.
    this.meters.count('messages_published', { exchange, outcome });
  }

  @OnRabbitEvent('connected')
  connected({ connection }: BrokerEventOf<'connected'>): void {
    this.meters.count('connections_opened', { connection });
  }
}
// #endregion
