// A peer that is frozen or cut off says nothing at all. The client library counts whole intervals and may need three of
// them to notice; this needs two heartbeats and half a second.

import type { ChannelModel } from 'amqplib';
import { humanDuration } from '../options/duration.js';
import { pulse } from './fast-path/amqplib-internals.js';

/**
 * Calls back once when nothing came for two heartbeats. Ends by itself with the connection, or with `signal`. Returns what
 * makes the reason of the connection's end a better one: a process that was busy for so long that its peer gave it up
 * reads only that the socket is closed.
 */
export function onIdle(
  model: ChannelModel,
  signal: AbortSignal,
  callback: (reason: string) => void,
): (reason: string) => string {
  const found = pulse(model);
  // Without it the client library's own heartbeats find out, later.
  if (!found || signal.aborted) return (reason) => reason;
  const { seconds: heartbeat, bytesRead } = found;
  const step = Math.min(heartbeat * 100, 500);
  const most = Math.ceil((heartbeat * 2_000) / step);
  let [seen, silent] = [bytesRead(), 0];
  // Looks are counted and not the time: a process that was busy for long has not read what came meanwhile.
  let [lookedAt, busy] = [performance.now(), 0];
  const notice = (): void => {
    const late = performance.now() - lookedAt - step;
    lookedAt += late + step;
    // One that went on for a while after it was busy for long has survived that.
    if (late > heartbeat * 1_000) [busy, busyUntil] = [late, lookedAt];
    else if (lookedAt - busyUntil > heartbeat * 1_000) busy = 0;
  };
  let busyUntil = -Infinity;
  const timer = setInterval(() => {
    notice();
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
  return (reason) => {
    notice();
    if (busy === 0) return reason;
    return `no heartbeat; this process's event loop was blocked for ${humanDuration(busy)} (${reason})`;
  };
}
