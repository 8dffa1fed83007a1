// Connections as they are in production: a cluster, rotating credentials, TLS.
import { readFileSync } from 'node:fs';
import { Module } from '@nestjs/common';
import { RabbitModule } from '@warren/nestjs';

declare function readSecret(name: string): Promise<string>;

// #region cluster
@Module({
  imports: [
    RabbitModule.forRoot({
      url: ['amqp://rabbit-1:5672/shop', 'amqp://rabbit-2:5672/shop', 'amqp://rabbit-3:5672/shop'],
      credentials: async () => ({ username: 'shop', password: await readSecret('rabbit') }),
    }),
  ],
})
export class ClusterModule {}
// #endregion

// #region tls
@Module({
  imports: [
    RabbitModule.forRoot({
      url: 'amqps://rabbit.internal:5671/shop',
      tls: { ca: readFileSync('ca.pem') },
    }),
  ],
})
export class SecureModule {}
// #endregion
