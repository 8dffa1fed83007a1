// The view Live tail: copies of what passes an exchange, at most so many a second, masked like everything else.

import { type Broker, systemClock, tap, type TappedMessage } from '@warren/nestjs';
import type { TailMessage } from '../api/messages.js';
import { errorAnswer } from '../errors.js';
import type { BoardSettings } from '../options.js';
import { brief, shown } from './body.js';
import type { EventStream } from './event-stream.js';

/** Messages a second. */
const MOST_PER_SECOND = 100;

/** Shown of a body, in bytes. */
const MOST_OF_BODY = 4 * 1024;

/** Reads along until the stream ends; returns a function that ends the reading. */
export function tail(
  broker: Broker,
  { redact }: BoardSettings,
  wanted: { readonly exchange: string; readonly keys: readonly string[] },
  stream: EventStream,
): () => void {
  const controller = new AbortController();
  void follow(broker, redact, wanted, stream, controller.signal).finally(() => stream.end());
  return () => controller.abort();
}

async function follow(
  { settings }: Broker,
  redact: BoardSettings['redact'],
  { exchange, keys }: { readonly exchange: string; readonly keys: readonly string[] },
  stream: EventStream,
  signal: AbortSignal,
): Promise<void> {
  const { url, tls, credentials, connectTimeout, heartbeat } = settings;
  const onReady = (): void => stream.send('ready', {});
  let [second, sent, skipped] = [0, 0, 0];
  const where = { url, tls, credentials, connectTimeout, heartbeat };
  try {
    for await (const message of tap({ ...where, exchange, keys, signal, onReady })) {
      const now = Math.floor(systemClock.monotonic() / 1_000);
      if (now !== second) [second, sent] = [now, 0];
      if (++sent > MOST_PER_SECOND) {
        skipped++;
        continue;
      }
      if (skipped > 0) stream.send('skipped', { count: skipped });
      skipped = 0;
      stream.send('message', tailMessage(message, redact));
    }
  } catch (error) {
    stream.send('failed', errorAnswer(error).body);
  }
}

function tailMessage(message: TappedMessage, redact: BoardSettings['redact']): TailMessage {
  const { exchange, routingKey, properties } = message;
  const { body, headers } = shown(message, redact, MOST_OF_BODY);
  return {
    at: systemClock.wall(),
    exchange,
    routingKey,
    id: brief(properties.messageId),
    correlationId: brief(properties.correlationId),
    by: brief(properties.appId),
    contentType: brief(properties.contentType),
    headers,
    body,
  };
}
