import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { EmbeddedBroker } from './embedded-broker.js';
import { MovableClock } from './model/movable-clock.js';

let broker: EmbeddedBroker;
let connection: ChannelModel;

async function open(): Promise<Channel> {
  broker = await EmbeddedBroker.start();
  connection = await connect(broker.url, { noDelay: true });
  return connection.createChannel();
}

/** Its clients are of this process and send at once. */
const quiet = 1;

const names = async (): Promise<string[]> => (await broker.inspect()).queues.map(({ name }) => name).sort();

describe('the time of an embedded broker', () => {
  afterEach(async () => {
    await connection.close();
    await broker.close();
  });

  it('is moved: messages and queues expire in their order, without waiting', async () => {
    const channel = await open();
    const dead: string[] = [];
    await channel.assertQueue('dead');
    await channel.consume('dead', (message) => dead.push(String(message?.content)), { noAck: true });
    for (const hours of [2, 1, 3]) {
      await channel.assertQueue(`ttl-${hours}`, {
        messageTtl: hours * 3_600_000,
        arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' },
      });
      channel.sendToQueue(`ttl-${hours}`, Buffer.from(`${hours}h`));
    }
    await channel.assertQueue('unused', { expires: 5_400_000 });
    await channel.checkQueue('ttl-3');
    await broker.clock.advance('1h');
    expect(dead).toEqual(['1h']);
    expect(await names()).toContain('unused');
    expect(await broker.clock.next()).toBeLessThanOrEqual(1_800_000);
    await broker.clock.advance('2h');
    expect(dead).toEqual(['1h', '2h', '3h']);
    expect(await names()).not.toContain('unused');
    expect(await broker.clock.next()).toBeUndefined();
  });

  it('lets clients react before it moves on: a chain of waits that the client keeps going', async () => {
    const channel = await open();
    const rounds = 50;
    let round = 0;
    await channel.assertQueue('work');
    await channel.assertQueue('wait', {
      messageTtl: 60_000,
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'work' },
    });
    await broker.clock.pause();
    await channel.consume('work', (message) => {
      if (!message) return;
      round += 1;
      channel.ack(message);
      channel.sendToQueue('wait', message.content);
    });
    channel.sendToQueue('work', Buffer.from('x'));
    const began = performance.now();
    await broker.clock.advance(60_000 * (rounds - 1), { quiet });
    expect(round).toBe(rounds);
    await broker.clock.advance('59s', { quiet });
    expect(round).toBe(rounds);
    await broker.clock.advance('1s');
    expect(round).toBe(rounds + 1);
    // Real time: an hour of it would be far more, and a busy machine needs seconds.
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  it('stands still while it is paused, and goes on afterwards', async () => {
    const channel = await open();
    await channel.assertQueue('short', { messageTtl: 20 });
    await broker.clock.pause();
    channel.sendToQueue('short', Buffer.from('x'));
    await channel.checkQueue('short');
    // waits: that nothing expires meanwhile is what is tested
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await broker.clock.next()).toBe(20);
    await broker.clock.resume();
    for (let left = 1; left > 0;) left = (await channel.checkQueue('short')).messageCount;
  });

  it('takes several moves at once one after the other, and asks the test before it goes on', async () => {
    const channel = await open();
    await channel.assertQueue('one', { expires: 1_000 });
    await channel.assertQueue('two', { expires: 2_000 });
    const left: string[][] = [];
    const settle = async (): Promise<void> => void left.push(await names());
    await Promise.all([broker.clock.advance('1s', { settle }), broker.clock.advance('1.5s', { settle })]);
    expect(left).toEqual([['one', 'two'], ['two'], ['two'], []]);
    expect(() => broker.clock.advance('soon')).toThrow("such as '2m36s', but is soon");
  });
});

describe('a clock that is shared with an embedded broker', () => {
  it('goes on when the broker is closed that has paused it', async () => {
    const clock = new MovableClock();
    broker = await EmbeddedBroker.start({ clock });
    await broker.clock.pause();
    await broker.close();
    expect(clock.stopped).toBe(false);
  });

  it('goes on when the broker is closed that moves it', async () => {
    const clock = new MovableClock();
    broker = await EmbeddedBroker.start({ clock });
    let asked = (): void => undefined;
    const settling = new Promise<void>((resolve) => (asked = resolve));
    const advancing = broker.clock.advance('1h', { quiet, settle: () => new Promise<void>(asked) });
    void advancing.catch(() => undefined);
    await settling;
    await broker.close();
    expect(clock.stopped).toBe(false);
  });

  it('stands still when it was stopped by somebody else', async () => {
    const clock = new MovableClock();
    broker = await EmbeddedBroker.start({ clock });
    clock.stop();
    await broker.clock.pause();
    await broker.close();
    expect(clock.stopped).toBe(true);
    clock.start();
  });

  it('is moved with pretended timers, too', async () => {
    broker = await EmbeddedBroker.start();
    jest.useFakeTimers();
    try {
      await broker.clock.advance('1s');
    } finally {
      jest.useRealTimers();
      await broker.close();
    }
  });
});
