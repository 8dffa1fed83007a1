// How the module is configured: the forms of forRoot that docs/modules.md shows. Compiled with everything else.
// #region sync
import { Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';

@Module({
  imports: [
    RabbitModule.forRoot({
      url: 'amqps://billing:secret@rabbit.example.com/shop',
      service: 'billing',
      prefetch: 64,
      retry: { attempts: 3, delays: ['1s', '10s'] },
    }),
  ],
})
export class BillingModule {}
// #endregion

// #region development
@Module({
  imports: [
    RabbitModule.forRoot({
      service: 'billing',
      development: { embedded: { data: '.rabbit', management: 15672 } }, // or 'embedded', to keep everything in memory
    }),
  ],
})
export class DevelopedModule {}
// #endregion

// #region named
@Module({
  imports: [
    RabbitModule.forRoot({ service: 'billing' }),
    RabbitModule.forRoot('legacy', { url: 'amqp://old.example.com/legacy', service: 'billing' }),
  ],
})
export class TwoBrokersModule {}
// #endregion

// #region feature
@Module({
  imports: [
    RabbitModule.forFeature({
      exchanges: [
        { name: 'orders', type: 'topic', alternateExchange: 'unrouted' },
        { name: 'unrouted', type: 'fanout' },
      ],
      queues: [{ name: 'audit', maxLength: 100_000 }],
      bindings: [
        { exchange: 'orders', key: '#', queue: 'audit' },
        { exchange: 'events', key: 'order.#', to: 'orders' },
      ],
    }),
  ],
})
export class TopologyModule {}
// #endregion
