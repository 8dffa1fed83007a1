// One attempt to open a connection, bounded in time: a peer that accepts and then stays silent would
// otherwise keep it waiting for ever.

import { AsyncResource } from 'node:async_hooks';
import { type ChannelModel, connect } from 'amqplib';
import { humanDuration } from '../options/duration.js';
import { pulse, readAnyHeaders } from './fast-path/amqplib-internals.js';
import { readers, socketReader } from './fast-path/fast-path.js';
import type { Clock } from '../runtime/clock.js';
import { programContext } from '../runtime/program-context.js';
import type { Endpoint } from './endpoints.js';
import { openError } from './connect-error.js';

// A peer that is frozen or cut off says nothing at all. The client library counts whole intervals and may need three of
// them to notice; this needs two heartbeats and half a second.

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
    callback(`Heartbeat timeout: nothing received for ${heartbeat * 2} s`);
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

/** What an attempt needs to know. */
export interface ConnectOptions {
  readonly name: string;
  readonly connectTimeout: number;
  readonly clock: Clock;
}

/** Connects. `kill` destroys the socket, now and as long as the connection exists. */
export async function openConnection(
  endpoint: Endpoint,
  { name, connectTimeout, clock }: ConnectOptions,
  kill: AbortController,
): Promise<ChannelModel> {
  let late = false;
  const reader = socketReader();
  const cancel = clock.after(connectTimeout, () => {
    late = true;
    kill.abort();
  });
  try {
    const socket = {
      ...endpoint.socket,
      // Without it a request costs 40 ms instead of 0.4: Nagle meets delayed acknowledgement.
      noDelay: true,
      timeout: connectTimeout,
      onread: reader,
      // An option of Node's sockets: aborting destroys it, the one way out when the peer is frozen.
      signal: kill.signal,
      clientProperties: { connection_name: name },
    };
    // A socket keeps the async context that it was opened in, for as long as it lives.
    const model = await programContext.runInAsyncScope(() =>
      new AsyncResource('WARREN').runInAsyncScope(() => connect(endpoint.connect, socket)),
    );
    // At once: closing meanwhile destroys the socket, and that error without a listener would end the process.
    model.on('error', () => undefined);
    readAnyHeaders(model);
    readers.set(model, reader);
    return model;
  } catch (error) {
    // The virtual host was not opened. The same time is for finding out why.
    const closed = !late && /ConnectionOpenOk; got <ConnectionClose/.test(String(error));
    const words = closed ? await openError(endpoint, kill.signal) : undefined;
    if (words) throw new Error(words, { cause: error });
    throw late ? new Error('connect timeout', { cause: error }) : error;
  } finally {
    cancel();
  }
}

/**
 * The broker may end a connection in the same packet that opened it, and then the event comes before anybody can listen.
 * Only asking for something tells such a connection from a living one.
 */
export async function verify(model: ChannelModel): Promise<void> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await channel.close();
}
