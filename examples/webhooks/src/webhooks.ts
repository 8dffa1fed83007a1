// Delivers webhooks: one message is one HTTP request that must arrive in the end.
import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, RabbitContext, Reject, Retry, queue } from '@warren/nestjs';
import { z } from 'zod';

const webhook = z.object({ url: z.url(), event: z.record(z.string(), z.unknown()) });
export const Webhooks = queue('webhooks', { payload: webhook });

/** Worth another attempt: the endpoint is down, or answers 5xx. */
export class EndpointDown extends Error {
  override readonly name = 'EndpointDown';
}

export const sign = (body: string): string => createHmac('sha256', 'a secret').update(body).digest('hex');

@Injectable()
export class WebhookSender {
  // In production the delays are minutes: 1m, 5m, 30m, 2h.
  @Consume(Webhooks, {
    timeout: '5s',
    retry: { attempts: 4, delays: { first: '50ms', factor: 2, max: '1s' } },
  })
  async deliver(
    @Payload() { url, event }: z.infer<typeof webhook>,
    @Ctx() { message, signal }: RabbitContext,
  ): Promise<void> {
    const body = JSON.stringify(event);
    const headers = {
      'content-type': 'application/json',
      'webhook-id': message.properties.messageId ?? '', // the same in each attempt: the receiver can tell repeats
      'webhook-signature': sign(body),
    };
    const response = await fetch(url, { method: 'POST', headers, body, signal }).catch((cause: unknown) => {
      throw new EndpointDown(`no answer from ${url}`, { cause });
    });
    if (response.ok) return;
    if (response.status === 429)
      throw Retry({ after: `${Number(response.headers.get('retry-after') ?? 1)}s` });
    if (response.status < 500) throw Reject(`${response.status} from ${url}`); // another attempt would not help
    throw new EndpointDown(`${response.status} from ${url}`);
  }
}
