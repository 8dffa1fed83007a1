// What docs/fleet.md shows. Compiled with everything else.
// #region option
import { RabbitModule } from '@warren/nestjs';

export const rabbit = RabbitModule.forRoot({ service: 'billing', fleet: true });
// #endregion

// #region ask
import { Inject, Injectable } from '@nestjs/common';
import { type Broker, type FleetInfo, getBrokerToken } from '@warren/nestjs';

@Injectable()
export class Instances {
  constructor(@Inject(getBrokerToken()) private readonly broker: Broker) {}

  async print(): Promise<void> {
    const { answers } = await this.broker.fleet.ask<FleetInfo>('info', undefined, { timeout: '1s' });
    for (const { from, value, error } of answers)
      console.log(from.service, from.host, from.pid, value?.handlers.length ?? error?.message);
  }
}
// #endregion

// #region answer
@Injectable()
export class Cache {
  readonly entries = new Map<string, unknown>();

  constructor(@Inject(getBrokerToken()) broker: Broker) {
    broker.fleet.answer('cache.size', () => ({ entries: this.entries.size }));
  }
}
// #endregion
