import { describe, expect, it } from '@jest/globals';
import { Delivery } from '../message/delivery.js';
import { SILENT } from '../runtime/logger.js';
import { SuspectReport, Suspects } from './suspects.js';

const sink = { settle() {}, warn() {} };

function delivery(
  headers: Record<string, unknown>,
  { redelivered = true, messageId = 'm', body = 'x' } = {},
): Delivery {
  const properties = { headers, messageId };
  const message = { content: Buffer.from(body), properties, exchange: '', routingKey: 'q', redelivered };
  return new Delivery(message as never, 'q', sink);
}

describe('suspects', () => {
  const kind = (suspects: Suspects, one: Delivery): string => suspects.judge(one).kind;

  it('counts on a first delivery are copies: it runs as any other', () => {
    const suspects = new Suspects();
    const first = { redelivered: false };
    expect(kind(suspects, delivery({ 'x-delivery-count': 99, 'x-acquired-count': 99 }, first))).toBe('none');
    expect(kind(suspects, delivery({ 'x-warren-trial': 99 }, first))).toBe('alone');
    expect(delivery({ 'x-warren-attempt': 9 }, first).attempt).toBe(1);
  });

  it('attempts are believed in a retry for this queue, not in a dead letter that somebody moved', () => {
    const attempt = (headers: object): number => delivery({ 'x-warren-attempt': 3, ...headers }).attempt;
    expect(attempt({ 'x-warren-queue': 'q' })).toBe(4);
    expect(attempt({ 'x-warren-queue': 'other' })).toBe(1);
    expect(attempt({ 'x-warren-queue': 'q', 'x-warren-reason': 'rejected' })).toBe(1);
  });

  it('a message that ends each process runs five times: three beside others, two alone', () => {
    const suspects = (): Suspects => new Suspects();
    const times = [{ 'x-delivery-count': 1 }, { 'x-delivery-count': 2 }, { 'x-acquired-count': 2 }];
    for (const headers of times) expect(suspects().judge(delivery(headers))).toEqual({ kind: 'none' });
    for (const name of ['x-delivery-count', 'x-acquired-count'])
      expect(suspects().judge(delivery({ [name]: 3 }))).toEqual({ kind: 'suspect', trial: 1 });
    expect(kind(suspects(), delivery({ 'x-warren-trial': 1 }, { redelivered: false }))).toBe('alone');
    const again = delivery({ 'x-warren-trial': 1, 'x-delivery-count': 1 });
    expect(suspects().judge(again)).toEqual({ kind: 'suspect', trial: 2 });
    expect(suspects().judge(delivery({ 'x-warren-trial': 2 }))).toMatchObject({
      kind: 'guilty',
      error: { code: 'WARREN_POISON', message: expect.stringContaining('delivered 5 times') },
    });
  });

  it('a classic queue counts nothing: what comes again runs, and is not told when this process had it itself', () => {
    const suspects = new Suspects();
    expect(kind(suspects, delivery({}))).toBe('uncounted');
    expect(kind(suspects, delivery({}, { redelivered: false }))).toBe('none');
    suspects.excuse(delivery({}));
    expect(kind(suspects, delivery({}))).toBe('none');
  });

  it('a process that lives on does not count what it lost with its connections', () => {
    const suspects = new Suspects();
    for (let count = 1; count < 20; count++) {
      const one = delivery({ 'x-delivery-count': count });
      suspects.excuse(one);
      expect(kind(suspects, delivery({ 'x-delivery-count': count }))).toBe('none');
    }
    const other = delivery({ 'x-delivery-count': 5 }, { body: 'y' });
    expect(kind(suspects, other)).toBe('suspect');
    const trial = delivery({ 'x-warren-trial': 2 }, { body: 'z' });
    suspects.excuse(trial);
    expect([kind(suspects, trial), kind(suspects, trial)]).toEqual(['alone', 'guilty']);
  });

  it('remembers only so many', () => {
    const suspects = new Suspects();
    for (let n = 0; n < 12_000; n++) suspects.excuse(delivery({}, { messageId: String(n) }));
    expect((suspects as unknown as { excused: Map<string, number> }).excused.size).toBe(10_000);
  });
});

function reporting(type: string) {
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  const clock = { after: (_ms: number, call: () => void) => (timers.push(call), () => undefined) };
  const queue = { name: 'q', arguments: { 'x-queue-type': type } };
  const logger = { ...SILENT, warn: (line: string) => void lines.push(line) };
  const report = new SuspectReport(queue as never, clock as never, logger);
  const later = (): void => timers.splice(0).forEach((call) => call());
  return { lines, report, later };
}

it('suspects that come together are said in two lines, with their number', () => {
  const { lines, report, later } = reporting('quorum');
  for (let n = 1; n <= 32; n++) report.found(`message m${n}`);
  later();
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('message m1 was redelivered');
  expect(lines[1]).toContain("31 other messages of 'q'");
  report.found('message later');
  later();
  expect(lines).toHaveLength(3);
});

it('what a classic queue hands out again is said once, with its queue and number: a process that ends says no more', () => {
  const { lines, report, later } = reporting('classic');
  for (let n = 1; n <= 32; n++) report.uncounted(`message m${n} of queue 'q'`);
  later();
  report.uncounted('message later');
  later();
  expect(lines).toEqual([
    expect.stringMatching(/^message m1 of queue 'q' was delivered before and not settled.*queueType/),
    "and so were 31 other messages of 'q'",
  ]);
  const counted = reporting('quorum');
  counted.report.uncounted('message m1');
  expect(counted.lines).toEqual([]);
});
