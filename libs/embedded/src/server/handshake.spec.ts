// Who is let in from where.
import { expect, it } from '@jest/globals';
import { Handshake } from './handshake.js';

/** Whether a user may log in with his right password from an address. */
function letsIn(name: string, address: string): boolean {
  const told: string[] = [];
  const context = {
    traits: { mechanisms: 'PLAIN' },
    access: { authenticates: () => true },
    limits: { channelMax: 1, frameMax: 1, heartbeat: 1 },
    logger: { warn: () => told.push('warned') },
  };
  const handshake = new Handshake(context as never, address, undefined, (method) => void told.push(method));
  const args = { mechanism: 'PLAIN', response: Buffer.from(`\0${name}\0right`), properties: Buffer.alloc(0) };
  const step = (): unknown => handshake.step({ name: 'connection.start-ok', args } as never);
  if (name === 'guest' && address.includes('192.0.2')) expect(step).toThrow('Login was refused');
  else step();
  return told.join() === 'connection.tune';
}

it.each([
  ['127.0.0.1', 'guest', true],
  ['::1', 'guest', true],
  ['192.0.2.7', 'guest', false],
  ['::ffff:192.0.2.7', 'guest', false],
  ['192.0.2.7', 'app', true],
])('a client at %s as %s: %p', (address, name, may) => expect(letsIn(name, address)).toBe(may));
