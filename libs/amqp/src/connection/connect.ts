// One attempt to open a connection, bounded in time: a peer that accepts and then stays silent would
// otherwise keep it waiting for ever.

import { connect, type ChannelModel } from 'amqplib';
import type { Clock } from '../runtime/clock.js';
import type { Endpoint } from './endpoints.js';
import { openError } from './connect-error.js';
import { readAnyHeaders } from './fast-path/unreadable-headers.js';

/** What an attempt needs to know. */
export interface ConnectOptions {
  readonly name: string;
  readonly connectTimeout: number;
  readonly clock: Clock;
}

/** Connects. `kill` destroys the socket, now and for as long as the connection lives. */
export async function openConnection(
  endpoint: Endpoint,
  { name, connectTimeout, clock }: ConnectOptions,
  kill: AbortController,
): Promise<ChannelModel> {
  let late = false;
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
      // An option of Node's sockets: aborting destroys it, the one way out when the peer is frozen.
      signal: kill.signal,
      clientProperties: { connection_name: name },
    };
    const model = await connect(endpoint.connect, socket);
    // At once: closing meanwhile destroys the socket, and that error without a listener would end the process.
    model.on('error', () => undefined);
    readAnyHeaders(model);
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
