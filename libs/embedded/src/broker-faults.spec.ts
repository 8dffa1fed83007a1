import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { EmbeddedBroker } from './embedded-broker.js';

let broker: EmbeddedBroker;
const open: { readonly connection: ChannelModel; readonly closed: Promise<void> }[] = [];

async function client(name: string): Promise<ChannelModel> {
  const clientProperties = { connection_name: name };
  const connection = await connect(broker.url, { noDelay: true, clientProperties });
  connection.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => connection.once('close', () => resolve()));
  open.push({ connection, closed });
  return connection;
}

/** A connection that is cut while it closes never says that it has closed. */
async function closeAll(): Promise<void> {
  const closing = open.splice(0).map(async ({ connection, closed }) => {
    await Promise.race([closed, connection.close()]).catch(() => undefined);
  });
  await Promise.all(closing);
}

/** Resolves with how the broker answered a publish. */
function published(channel: ConfirmChannel, queue: string): Promise<'ack' | 'nack'> {
  return new Promise((resolve) => {
    channel.sendToQueue(queue, Buffer.from('x'), {}, (error: unknown) => resolve(error ? 'nack' : 'ack'));
  });
}

const names = async (): Promise<(string | undefined)[]> =>
  (await broker.inspect()).connections.map(({ name }) => name).sort();

describe('faults of an embedded broker', () => {
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  beforeEach(async () => {
    said.length = 0;
    broker = await EmbeddedBroker.start({ logger: { log: say, warn: say } });
  });
  afterEach(async () => {
    await broker.faults.clear();
    await closeAll();
    await broker.close();
  });

  it('cuts the connections that are meant, and only those', async () => {
    for (const name of ['shop:consume', 'shop:publish', 'other']) await client(name);
    const [{ closed }] = open;
    expect(await broker.faults.cut({ name: /^shop:/ })).toBe(2);
    expect(await names()).toEqual(['other']);
    await closed;
    expect(await broker.faults.cut({ vhost: 'elsewhere' })).toBe(0);
    expect(await broker.faults.cut({ user: 'guest' })).toBe(1);
  });

  it('freezes connections in both directions until they thaw', async () => {
    const [frozen, other] = [await client('frozen'), await client('other')];
    const [first, second] = [await frozen.createConfirmChannel(), await other.createConfirmChannel()];
    await second.assertQueue('work');
    const got: string[] = [];
    await first.consume('work', (message) => got.push(String(message?.content)), { noAck: true });
    const freeze = await broker.faults.freeze({ name: 'frozen' });
    expect(await published(second, 'work')).toBe('ack');
    const confirmed = published(first, 'work');
    expect((await second.checkQueue('work')).messageCount).toBe(0);
    expect(got).toEqual([]);
    await freeze.end();
    expect(await confirmed).toBe('ack');
    expect(got).toEqual(['x', 'x']);
    await broker.faults.freeze();
    await broker.faults.thaw();
    expect(await published(first, 'work')).toBe('ack');
  });

  it('turns away clients that connect, for as long as it refuses', async () => {
    await client('before');
    const refusing = await broker.faults.refuse();
    await expect(connect(broker.url)).rejects.toThrow();
    await refusing.end();
    await client('after');
    expect(await names()).toEqual(['after', 'before']);
  });

  it('refuses the next publishes, of an exchange or a queue if one is named', async () => {
    const channel = await (await client('publisher')).createConfirmChannel();
    for (const queue of ['one', 'two']) await channel.assertQueue(queue);
    await broker.faults.nack({ count: 2, queue: 'one' });
    const outcomes = ['one', 'two', 'one', 'one'].map((queue) => published(channel, queue));
    expect(await Promise.all(outcomes)).toEqual(['nack', 'ack', 'nack', 'ack']);
    expect((await channel.checkQueue('one')).messageCount).toBe(1);
    const always = await broker.faults.nack({ count: Infinity, exchange: '' });
    expect(await published(channel, 'two')).toBe('nack');
    await always.end();
    expect(await published(channel, 'two')).toBe('ack');
    expect(() => broker.faults.nack({ count: 0 })).toThrow(RangeError);
  });

  it('never confirms a publish that it took, and confirms the ones around it', async () => {
    const channel = await (await client('publisher')).createConfirmChannel();
    await channel.assertQueue('work');
    const before = [published(channel, 'work'), published(channel, 'work')];
    expect(await Promise.all(before)).toEqual(['ack', 'ack']);
    await broker.faults.dropConfirm();
    let lost: string | undefined;
    void published(channel, 'work').then((outcome) => (lost = outcome));
    expect(await Promise.all([published(channel, 'work'), published(channel, 'work')])).toEqual([
      'ack',
      'ack',
    ]);
    expect(lost).toBeUndefined();
    expect((await channel.checkQueue('work')).messageCount).toBe(5);
  });

  it('cancels consumers, and the others of the queue go on', async () => {
    const channel = await (await client('consumer')).createChannel();
    await channel.assertQueue('work');
    const got: string[] = [];
    const cancelled = new Promise((resolve) => {
      void channel.consume('work', (message) => message ?? resolve('cancelled'), {
        consumerTag: 'a',
        noAck: true,
      });
    });
    await channel.consume('work', () => got.push('b'), { consumerTag: 'b', noAck: true });
    expect(await broker.faults.cancelConsumer({ queue: 'work', tag: 'a' })).toBe(1);
    expect(await cancelled).toBe('cancelled');
    channel.sendToQueue('work', Buffer.from('x'));
    channel.sendToQueue('work', Buffer.from('y'));
    await channel.checkQueue('work');
    expect(got).toEqual(['b', 'b']);
  });

  it('goes by the latest memory limit that has not ended', async () => {
    await (await (await client('declares')).createChannel()).assertQueue('work');
    const [first, second] = [await broker.faults.memoryLimit(1), await broker.faults.memoryLimit(0)];
    await second.end();
    expect(said).toEqual(['publishers are blocked: low on memory']);
    await first.end();
    expect(said).toContain('publishers are unblocked');
  });

  it('blocks publishers for memory, disk, or a limit of its own', async () => {
    const connection = await client('publisher');
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('work');
    for (const begin of [
      () => broker.faults.alarm(),
      () => broker.faults.alarm('disk'),
      () => broker.faults.memoryLimit(0),
    ]) {
      await published(channel, 'work');
      const blocked = once(connection, 'blocked');
      const fault = await begin();
      const waiting = published(channel, 'work');
      const [reason] = (await blocked) as [string];
      expect(reason).toMatch(/^low on (memory|disk)$/);
      const unblocked = once(connection, 'unblocked');
      await fault.end();
      await unblocked;
      expect(await waiting).toBe('ack');
    }
  });

  it('has a line as long as the test wants, in the time that the test moves', async () => {
    const channel = await (await client('far')).createConfirmChannel();
    await channel.assertQueue('work');
    await broker.clock.pause();
    const far = await broker.faults.delay('40s');
    let outcome: string | undefined;
    const confirmed = published(channel, 'work').then((came) => (outcome = came));
    await broker.clock.advance('39s');
    expect(outcome).toBeUndefined();
    await broker.clock.advance('1s');
    expect(outcome).toBe('ack');
    await confirmed;
    await far.end();
    expect(await published(channel, 'work')).toBe('ack');
  });

  it('ends everything with clear, and closes with faults still there', async () => {
    const connection = await client('any');
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('work');
    await broker.faults.refuse();
    await broker.faults.nack({ count: Infinity });
    await broker.faults.freeze();
    await broker.faults.clear();
    expect(await published(channel, 'work')).toBe('ack');
    await client('later');
    await broker.faults.freeze();
  });
});

describe('chaos', () => {
  it('does the same things after the same pauses for the same seed', async () => {
    const run = async (seed: number): Promise<unknown[]> => {
      broker = await EmbeddedBroker.start();
      await broker.clock.pause();
      const chaos = await broker.faults.chaos({ seed, every: 100 });
      await broker.clock.advance('5s');
      const actions = await chaos.stop();
      await broker.clock.advance('1m');
      expect(await chaos.stop()).toEqual(actions);
      await broker.close();
      return [...actions];
    };
    const first = await run(7);
    expect(first.length).toBeGreaterThan(30);
    expect(new Set(first.map((action) => (action as { fault: string }).fault)).size).toBe(6);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
  });

  it('leaves nothing behind when it stops', async () => {
    broker = await EmbeddedBroker.start();
    await broker.clock.pause();
    const chaos = await broker.faults.chaos({ seed: 3, every: 50 });
    await broker.clock.advance('2s');
    await chaos.stop();
    await broker.clock.resume();
    const channel = await (await client('calm')).createConfirmChannel();
    await channel.assertQueue('work');
    expect(await published(channel, 'work')).toBe('ack');
    await closeAll();
    await broker.close();
  });
});
