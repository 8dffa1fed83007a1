// Handlers as docs/modules.md and docs/failure.md show them. Compiled with everything else, and run by test/docs.
// #region params
import { Controller, Injectable, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  Consume,
  Headers,
  InjectPublisher,
  Message,
  Properties,
  type Publisher,
  RabbitContext,
  type ReceivedMessage,
  RoutingKey,
  Subscribe,
} from '@warren/nestjs';

@Injectable()
export class Inspector {
  @Consume('inspected')
  look(
    @Payload() body: unknown,
    @Ctx() context: RabbitContext,
    @Headers('tenant') tenant: string | undefined,
    @Properties('messageId') messageId: string,
    @RoutingKey() key: string,
    @Message() message: ReceivedMessage,
  ): void {
    console.log(key, tenant, messageId.length, context.attempt, message.content.length, body);
  }
}
// #endregion

// #region guard
@Injectable()
export class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToRpc().getContext<RabbitContext>();
    return typeof headers.tenant === 'string';
  }
}

@Controller()
@UseGuards(TenantGuard)
export class TenantHandlers {
  @Consume('tenants')
  handle(@Payload() body: string): void {
    console.log(`for a tenant: ${body}`);
  }
}
// #endregion

// #region shared
const reports = { name: 'reports', type: 'headers' } as const;

@Injectable()
export class Reports {
  @Subscribe({ queue: 'reports', bindings: [{ exchange: reports, match: { all: { format: 'pdf' } } }] })
  pdf(@Payload() name: string): void {
    console.log(`pdf: ${name}`);
  }

  @Subscribe({
    queue: 'reports',
    bindings: [{ exchange: reports, match: { any: { format: 'csv', raw: true } } }],
  })
  raw(@Payload() name: string): void {
    console.log(`raw: ${name}`);
  }
}
// #endregion

// #region named
@Injectable()
export class Bridge {
  constructor(@InjectPublisher('legacy') private readonly legacy: Publisher) {}

  @Subscribe('order.#')
  async forward(@Payload() order: unknown, @RoutingKey() key: string): Promise<void> {
    await this.legacy.publish(key, order, { exchange: 'orders' });
  }
}
// #endregion
