// What docs/control.md shows. Compiled with everything else.
// #region pause
import { Controller, Param, Post } from '@nestjs/common';
import { type HandlerState, RabbitControl } from '@warren/nestjs';

@Controller('handlers')
export class HandlersController {
  constructor(private readonly control: RabbitControl) {}

  @Post(':id/pause')
  pause(@Param('id') id: string): Promise<HandlerState> {
    return this.control.handler(id).pause();
  }

  @Post(':id/resume')
  resume(@Param('id') id: string): Promise<HandlerState> {
    return this.control.handler(id).resume();
  }
}
// #endregion

// #region limits
export async function slowDown(control: RabbitControl): Promise<void> {
  const mails = control.handler('MailHandlers.send');
  await mails.rate('100/s');
  await mails.change({ prefetch: 20, concurrency: 4 });
  await mails.rate(null);
}
// #endregion

// #region options
import { Injectable } from '@nestjs/common';
import { Consume } from '@warren/nestjs';

@Injectable()
export class PaymentHandlers {
  @Consume('payments.charge', {
    rate: '600/m',
    breaker: { failures: 5, of: 20, pause: '30s' },
  })
  async charge(): Promise<void> {
    // ...
  }

  @Consume('payments.migrate', { paused: true })
  async migrate(): Promise<void> {
    // ...
  }
}
// #endregion

// #region everywhere
export async function pauseAll(control: RabbitControl): Promise<void> {
  const { inForce, everywhere } = await control.handler('MailHandlers.send').pause({ everywhere: true });
  if (inForce) return;
  for (const { instance, reason } of everywhere?.failed ?? [])
    console.log(instance.host, instance.pid, reason);
  for (const { host, pid } of everywhere?.silent ?? []) console.log(host, pid, 'does not answer');
}

/** From another service, such as a program for operators. */
export async function pauseMails(control: RabbitControl): Promise<number> {
  const { done } = await control.everywhere('billing', 'MailHandlers.send', { paused: true });
  return done.length;
}
// #endregion

// #region run-now
import type { Broker, RunNowResult } from '@warren/nestjs';

/** `broker` is injected with `@Inject(getBrokerToken())`. */
export async function runNow(broker: Broker, messageId: string): Promise<RunNowResult> {
  const message = broker.details().waiting.find((each) => each.messageId === messageId);
  return message ? broker.control.runNow(message) : 'not-held';
}
// #endregion

// #region subscribe
import type { Delivery } from '@warren/nestjs';

export async function addTenant(control: RabbitControl, tenant: string): Promise<void> {
  await control.subscribe({
    kind: 'consume',
    id: `orders of ${tenant}`,
    patterns: [`orders.${tenant}`],
    options: { prefetch: 5 },
    handle: (delivery) => console.log(tenant, (delivery as Delivery).payload),
  });
}

export async function removeTenant(control: RabbitControl, tenant: string): Promise<void> {
  await control.unsubscribe(`orders of ${tenant}`);
}
// #endregion
