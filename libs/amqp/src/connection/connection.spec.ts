import { EventEmitter } from 'node:events';
import { describe, expect, it, jest } from '@jest/globals';
import { systemClock, type Clock } from '../runtime/clock.js';
import { ConnectionLostError } from '../errors/errors.js';
import { CHANNEL_LOST } from '../errors/error-facts.js';
import type { UrlOption } from '../options/connection-options.js';
import type { ConnectAttempts } from './connect-attempts.js';
import type { ConnectionEvent } from './connection.js';

/** A connection of the client library that does nothing but live. */
class Model extends EventEmitter {
  createChannel = (): Promise<unknown> =>
    Promise.resolve(Object.assign(new EventEmitter(), { close: () => Promise.resolve() }));
  close = (): Promise<void> => {
    this.emit('close');
    return Promise.resolve();
  };
}

const models: Model[] = [];
let closeReasons = 0;
jest.unstable_mockModule('amqplib', () => ({
  credentials: { plain: () => ({}), external: () => ({}) },
  connect: () => {
    if (closeReasons-- > 0) return Promise.reject(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
    const model = new Model();
    models.push(model);
    return Promise.resolve(model);
  },
}));
const { Connection } = await import('./connection.js');

interface Given {
  /** Timers of these times go off at once. */
  readonly immediate?: readonly number[];
  readonly url?: UrlOption;
  readonly connectTimeout?: number;
  readonly prepare?: () => Promise<void>;
}

/** A connection whose waits are written down instead of waited. */
function connection({ immediate = [], url = 'amqp://h', connectTimeout = 60_000, prepare }: Given = {}) {
  const clock: Clock = {
    ...systemClock,
    after: (ms, call, keepAlive) => systemClock.after(immediate.includes(ms) ? 0 : ms, call, keepAlive),
  };
  const waits: number[] = [];
  const told: ConnectionEvent['kind'][] = [];
  const attempts = {
    turn: 0,
    wait: (_who: object, ms: number) => Promise.resolve(void waits.push(ms)),
    answered: () => undefined,
    failed: () => undefined,
    leave: () => undefined,
  } as unknown as ConnectAttempts;
  const made = new Connection({
    ...{ name: 'test', url, credentials: undefined, tls: undefined, heartbeat: 0, attempts },
    ...{ connectTimeout, reconnect: { min: 100, max: 10_000 }, clock },
    onEvent: ({ kind }) => told.push(kind),
    prepare,
  });
  /** Opens after `refused` attempts. */
  const open = async (refused: number): Promise<Model> => {
    closeReasons = refused;
    const { life } = made;
    if (life === 0) await made.opened();
    else while (made.life === life || made.state !== 'open') await new Promise(setImmediate);
    return models.at(-1) as Model;
  };
  return { made, waits, told, open };
}

describe('a connection', () => {
  it('takes its channels along when it is lost', async () => {
    const { made, open } = connection();
    const model = await open(0);
    const channel = await made.openChannel('plain');
    model.emit('close', new Error('cut'));
    for (let n = 0; channel.alive && n < 20; n++) await new Promise(setImmediate);
    expect(channel.alive).toBe(false);
    expect(await channel.closed).toContain('cut');
    await made.close();
  });

  it('closes within a second although the broker does not answer', async () => {
    const { made, open } = connection({ immediate: [1_000] });
    const model = await open(0);
    model.close = () => new Promise(() => undefined);
    await made.close();
    expect(made.state).toBe('closed');
  });

  it('asks again for a url that does not come in time', async () => {
    let asked = 0;
    const url = (): Promise<string> =>
      asked++ === 0 ? new Promise(() => undefined) : Promise.resolve('amqp://h');
    const { made, told, open } = connection({ immediate: [1_000], url, connectTimeout: 1_000 });
    await open(0);
    expect([asked, told]).toEqual([2, ['refused', 'open']]);
    await made.close();
  });

  it('waits longer after each refusal, and begins small again after it was open', async () => {
    const { made, waits, open } = connection();
    const model = await open(6);
    expect(waits).toHaveLength(6);
    expect(waits[5]).toBeGreaterThanOrEqual(1_600);
    closeReasons = 1;
    model.emit('close');
    await open(1);
    expect(waits).toHaveLength(8);
    expect(Math.max(...waits.slice(6))).toBeLessThanOrEqual(200);
    await made.close();
  });

  it('that is lost while the broker blocks it comes back without being blocked', async () => {
    const { made, told, open } = connection();
    const model = await open(0);
    model.emit('blocked', 'low on memory');
    expect(made.blocked).toBe(true);
    model.emit('close');
    await open(0);
    expect(made.blocked).toBe(false);
    expect(told).toEqual(['open', 'blocked', 'lost', 'open']);
    await made.close();
  });

  it('is not called lost when the broker ended it for what was being declared', async () => {
    const prepare = (): Promise<void> => {
      const model = models.at(-1);
      model?.emit(
        'error',
        new Error('Connection closed: 541 (INTERNAL-ERROR) with message "Feature `x` is deprecated"'),
      );
      model?.emit('close');
      const text = `@Consume a was declaring queue 'q'${CHANNEL_LOST}Channel closed`;
      return Promise.reject(new ConnectionLostError(text));
    };
    const { made } = connection({ prepare });
    await expect(made.opened(10_000)).rejects.toMatchObject({
      code: 'WARREN_CONFIG',
      message: expect.stringMatching(
        /^@Consume a was declaring queue 'q' when the broker closed the connection: .*541.*\(the broker does not permit this/,
      ),
    });
    await made.close();
  });
});
