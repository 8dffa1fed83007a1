// A peer that is frozen or cut off says nothing at all. The client library counts whole intervals and may need three of
// them to notice; this needs two heartbeats and half a second.

import type { ChannelModel } from 'amqplib';
import { pulse } from './hot/client.js';

/** Calls back once when nothing came for two heartbeats. Ends by itself with the connection, or with `signal`. */
export function onSilence(
  model: ChannelModel,
  signal: AbortSignal,
  callback: (reason: string) => void,
): void {
  const found = pulse(model);
  // Without it the client library's own heartbeats find out, later.
  if (!found || signal.aborted) return;
  const { seconds: heartbeat, bytesRead } = found;
  const step = Math.min(heartbeat * 100, 500);
  const most = Math.ceil((heartbeat * 2_000) / step);
  let [seen, silent] = [bytesRead(), 0];
  // Looks are counted and not the time: a process that was busy for long has not read what came meanwhile.
  const timer = setInterval(() => {
    const now = bytesRead();
    silent = now === seen ? silent + 1 : 0;
    seen = now;
    if (silent < most) return;
    stop();
    callback(`Heartbeat timeout: nothing came for ${heartbeat * 2} s`);
  }, step);
  timer.unref();
  const stop = (): void => clearInterval(timer);
  model.on('close', stop);
  signal.addEventListener('abort', stop, { once: true });
}
