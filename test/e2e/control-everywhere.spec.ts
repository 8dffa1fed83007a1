// Handlers that are paused and limited in all instances of a service: who did it, who learns of it later, and what a stranger
// can do.

import { expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { AccessRefusedError, type BrokerOptions } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { countedTimers } from '../support/timers.js';
import { logged, rejection, warren, type Warren } from '../support/warren.js';

const HANDLER = 'mails';

onEachBroker('control everywhere', (broker) => {
  const instance = (service: string, options: BrokerOptions = {}, got = new Collector<unknown>()): Warren =>
    warren(broker.url, { service, fleet: { control: true }, ...options }).consume(
      HANDLER,
      ({ payload }) => got.push(payload),
      { prefetch: 10 },
    );
  const id = ({ broker: { fleet } }: Warren): string => fleet.instance.id;
  const pausedBy = ({ broker: own }: Warren): string | undefined => own.status().consumers[0].paused?.by;

  it('pauses and resumes all instances, says which did it, and pauses those that start later', async () => {
    const got = new Collector<unknown>();
    const one = (): Warren => instance('e.all', {}, got);
    const all = await Promise.all([one().open(), one().open()]);
    const control = all[0].broker.control.handler(HANDLER);
    const paused = await control.pause({ everywhere: true });
    expect(paused).toMatchObject({ inForce: true, everywhere: { failed: [], silent: [] } });
    expect(paused.everywhere?.done.map((each) => each.id).sort()).toEqual(all.map(id).sort());
    expect(all.map(pausedBy)).toEqual(['everywhere', 'everywhere']);

    const late = await one().open();
    expect(pausedBy(late)).toBe('everywhere');
    const line = `paused in all instances of 'e.all': ${HANDLER}; resume({ everywhere: true }) ends it`;
    expect(late.lines.filter((each) => each === line)).toHaveLength(1);
    await all[0].broker.send(HANDLER, 1);
    expect(got.size).toBe(0);

    const resumed = await control.resume({ everywhere: true });
    expect(resumed.everywhere?.done).toHaveLength(3);
    expect([...all, late].map(pausedBy)).toEqual([undefined, undefined, undefined]);
    await until(() => got.size === 1, 'the message to be handled');
  });

  it('limits too: the last of each holds, and what cannot be done somewhere is told', async () => {
    const own = await instance('e.limits').open();
    const control = own.broker.control.handler(HANDLER);
    await control.change({ prefetch: 4, rate: '50/s' }, { everywhere: true });
    await control.rate(null, { everywhere: true });
    const late = await instance('e.limits').open();
    const limits = ({ broker: { status } }: Warren): unknown[] => {
      const { prefetch, concurrency, rate } = status.call(late.broker).consumers[0];
      return [prefetch, concurrency, rate];
    };
    expect(limits(late)).toEqual([4, 4, undefined]);
    const narrow = await warren(broker.url, { service: 'e.limits', fleet: { control: true } })
      .consume(HANDLER, () => undefined, { prefetch: 20, concurrency: 20 })
      .open();
    // Learned at its start: 4 is below the concurrency that it was given.
    await logged(narrow, 'what is wanted in all instances is refused here');
    const result = await control.prefetch(5, { everywhere: true });
    expect(result).toMatchObject({ inForce: false });
    expect(result.everywhere?.done.map((each) => each.id).sort()).toEqual([id(own), id(late)].sort());
    expect(result.everywhere?.failed).toMatchObject([{ instance: { id: id(narrow) } }]);
  });

  it('a program of another service does it as well, and says who does not hear of it', async () => {
    const own = await instance('e.remote').open();
    const deaf = await instance('e.remote', { fleet: true }).open();
    const board = await warren(broker.url, { service: 'e.board' }).open();
    const result = await board.broker.control.everywhere('e.remote', HANDLER, { paused: true });
    expect(result.done.map((each) => each.id)).toEqual([id(own)]);
    expect(result.failed).toEqual([
      { instance: deaf.broker.fleet.instance, reason: 'its option fleet.control is off' },
    ]);
    const nobody = board.broker.control.everywhere('e.nobody', HANDLER, { paused: true });
    expect((await rejection(nobody)).hint).toMatch('fleet: { control: true }');
    const nothing = board.broker.control.everywhere('e.remote', HANDLER, {});
    expect(await rejection(nothing)).toMatchObject({ code: 'WARREN_CONFIG' });
    const off = deaf.broker.control.handler(HANDLER).pause({ everywhere: true });
    expect(await rejection(off)).toMatchObject({ code: 'WARREN_CONFIG' });
  });

  it('refuses what is no command, and what came past the exchange', async () => {
    const own = await instance('e.forged').open();
    const channel = await (await broker.connect()).createConfirmChannel();
    const name = 'e.forged.fleet.control';
    const command = { id: randomBytes(8).toString('hex'), handler: HANDLER, change: { paused: true } };
    channel.sendToQueue(name, Buffer.from(JSON.stringify(command)));
    channel.publish(name, '', Buffer.from('{"handler":"mails","change":{"paused":true}}'));
    channel.publish(name, '', Buffer.from('['.repeat(100_000)));
    await channel.waitForConfirms();
    await logged(own, 'was refused: it did not come over the exchange');
    await until(
      () => own.lines.filter((line) => /was refused: it is none/.test(line)).length === 2,
      'both lines',
    );
    expect(pausedBy(own)).toBeUndefined();
    const paused = await own.broker.control.handler(HANDLER).pause({ everywhere: true });
    expect(paused.inForce).toBe(true);
  });

  it('is refused to whoever may not publish to its exchange, with what to grant', async () => {
    const own = await instance('e.closed').open();
    const operator = `warren-operator-${randomBytes(6).toString('hex')}`;
    await broker.manage('PUT', `/users/${operator}`, { password: operator, tags: '' });
    await broker.manage('PUT', `/permissions/${broker.vhostPath}/${operator}`, {
      configure: '.*',
      read: '.*',
      write: '^(?!e\\.closed\\.fleet\\.control$)',
    });
    const url = new URL(broker.url);
    [url.username, url.password] = [operator, operator];
    const program = await warren(url.href, { service: 'e.operator' }).open();
    const change = (): Promise<unknown> =>
      program.broker.control.everywhere('e.closed', HANDLER, { paused: true });
    const error = await rejection(change());
    expect(error).toBeInstanceOf(AccessRefusedError);
    expect(error).toMatchObject({
      permission: 'write',
      message:
        "the broker refuses a change everywhere write access to exchange 'e.closed.fleet.control' " +
        '(grant the user the write permission on it (rabbitmqctl set_permissions))',
    });
    // Only that: the connection is as it was, and the handler runs.
    expect(await rejection(change())).toBeInstanceOf(AccessRefusedError);
    expect(program.broker.status().counters.reconnects).toBe(0);
    expect(pausedBy(own)).toBeUndefined();
    await broker.manage('DELETE', `/users/${operator}`);
  });

  it('holds after the connection was lost; what was changed in one instance since then stays', async () => {
    const own = await instance('e.lost').open();
    const control = own.broker.control.handler(HANDLER);
    await control.pause({ everywhere: true });
    await control.resume();
    await broker.closeConnections();
    // Until all of it is back, questions are lost with their channels.
    const change = (): Promise<boolean> =>
      control.change({ prefetch: 3 }, { everywhere: true }).then(
        ({ inForce }) => inForce,
        () => false,
      );
    await until(change, 'a change after the loss');
    expect(own.broker.status().consumers[0]).toMatchObject({ prefetch: 3, paused: undefined });
  });

  it.each([
    ['require', true],
    ['require', false],
    ['background', true],
    ['background', false],
  ] as const)(
    '%s, handlers %s: closed while it learns what is wanted, it is over',
    async (startup, handles) => {
      const tap = await Tap.open(broker.url);
      const { clock, count } = countedTimers();
      const own = warren(tap.url, { service: 'e.closing', fleet: { control: true }, startup }, { clock });
      if (handles) own.consume(HANDLER, () => undefined);
      let left = handles ? 2 : 1;
      own.broker.on(() => void (--left === 0 && tap.shut('answers')), ['connected']);
      const opening = own.broker.open().then(
        () => 'opened',
        () => 'refused',
      );
      await until(() => left === 0, 'its connections');
      await own.broker.close();
      const outcome = await within(opening, 'open() to settle', 1_000);
      expect(outcome).toBe(startup === 'require' ? 'refused' : 'opened');
      expect(count()).toBe(0);
      tap.cut();
    },
  );

  it('is not written over the connection that consumes: an alarm would stop that', async () => {
    const own = instance('e.alarm');
    const { connections } = own.broker as unknown as {
      connections: { forConsuming(): { openChannel(kind: string): Promise<unknown> } };
    };
    const make = connections.forConsuming.bind(connections);
    const opened = jest.fn<(kind: string) => void>();
    connections.forConsuming = () => {
      const made = make();
      const open = made.openChannel.bind(made);
      made.openChannel = (kind) => (opened(kind), open(kind));
      return made;
    };
    await own.open();
    const { inForce } = await own.broker.control.handler(HANDLER).pause({ everywhere: true });
    expect(inForce).toBe(true);
    expect(opened).toHaveBeenCalledWith('plain');
    expect(opened).not.toHaveBeenCalledWith('confirm');
  });

  it('an instance that starts later does what the others did, without what they refused', async () => {
    const own = await instance('e.refused').open();
    const { control } = (await warren(broker.url, { service: 'e.board' }).open()).broker;
    const change = (limits: object): Promise<unknown> => control.everywhere('e.refused', HANDLER, limits);
    const limits = ({ broker: each }: Warren): unknown => {
      const { prefetch, concurrency } = each.status().consumers[0];
      return [prefetch, concurrency];
    };
    await change({ prefetch: 20 });
    await change({ concurrency: 15 });
    await change({ prefetch: 30 });
    expect([limits(own), limits(await instance('e.refused').open())]).toEqual([
      [30, 15],
      [30, 15],
    ]);
    await change({ concurrency: 3 });
    await change({ prefetch: 4 });
    expect(await change({ concurrency: 5 })).toMatchObject({ done: [], failed: [{}, {}] });
    const late = await instance('e.refused').open();
    expect([limits(own), limits(late)]).toEqual([
      [4, 3],
      [4, 3],
    ]);
    expect(late.lines.filter((line) => line.includes('is refused here'))).toHaveLength(1);
    expect(late.lines.filter((line) => line.includes(`${HANDLER} changed:`))).toHaveLength(1);
  });

  it('handlers that share a queue: the last change of any of them holds, also in an instance that starts later', async () => {
    const one = (): Promise<Warren> =>
      warren(broker.url, { service: 'e.shared', fleet: { control: true } })
        .subscribe('shared.a', () => undefined, { id: 'a', queue: 'shared' })
        .subscribe('shared.b', () => undefined, { id: 'b', queue: 'shared' })
        .open();
    const own = await one();
    const { control } = own.broker;
    await control.handler('b').rate('50/s', { everywhere: true });
    await control.handler('a').pause({ everywhere: true });
    expect(pausedBy(await one())).toBe('everywhere');
    await control.handler('b').resume({ everywhere: true });
    const late = await one();
    expect([own, late].map(pausedBy)).toEqual([undefined, undefined]);
    expect(late.broker.status().consumers[0].rate).toBe('50/s');
    expect(late.lines.filter((line) => line.includes('paused'))).toEqual([]);
  });
});
