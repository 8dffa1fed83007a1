// Ids of messages and of calls. Random throughout: whoever has seen some of them must not know the next one, since a
// correlation id is what tells a reply from a forged one, and a message id what a stored reply is found by. And short:
// RabbitMQ handles messages whose properties have more than 64 bytes more slowly (decisions 14 and 20).

import { randomFillSync } from 'node:crypto';

/** Ids made from one look at the system's random numbers, which costs as much as a hundred ids. */
const POOLED = 256;

/** 96 random bits: 16 letters, digits, `-` and `_`. */
export const newMessageId = randomIds(12);

/** 128 random bits: 22 letters, digits, `-` and `_`. */
export const newCorrelationId = randomIds(16);

function randomIds(bytes: number): () => string {
  const pool = Buffer.allocUnsafeSlow(bytes * POOLED);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    return pool.toString('base64url', at, (at += bytes));
  };
}
