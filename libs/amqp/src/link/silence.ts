// A peer that is frozen or cut off says nothing at all. The client library counts whole intervals and may need three of
// them to notice; this needs two heartbeats and half a second.

import type { ChannelModel } from 'amqplib';

interface Inside {
  /** As it was agreed upon, in seconds; 0: none. */
  readonly heartbeat: number;
  readonly stream: { readonly bytesRead: number };
}

/** Calls back once when nothing came for two heartbeats. Ends by itself with the connection, or with `signal`. */
export function onSilence(
  model: ChannelModel,
  signal: AbortSignal,
  callback: (reason: string) => void,
): void {
  const { heartbeat, stream } = model.connection as unknown as Inside;
  if (heartbeat === 0 || signal.aborted) return;
  const step = Math.min(heartbeat * 100, 500);
  const most = Math.ceil((heartbeat * 2_000) / step);
  let [seen, silent] = [stream.bytesRead, 0];
  // Looks are counted and not the time: a process that was busy for long has not read what came meanwhile.
  const timer = setInterval(() => {
    silent = stream.bytesRead === seen ? silent + 1 : 0;
    seen = stream.bytesRead;
    if (silent < most) return;
    stop();
    callback(`Heartbeat timeout: nothing came for ${heartbeat * 2} s`);
  }, step);
  timer.unref();
  const stop = (): void => clearInterval(timer);
  model.on('close', stop);
  signal.addEventListener('abort', stop, { once: true });
}
