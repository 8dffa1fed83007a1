// What one question takes in: answers of strangers neither end it early nor fill the memory.
import { describe, expect, it } from '@jest/globals';
import type { ReceivedMessage } from '../message/message.js';
import type { GatherResult } from '../rpc/client/gather.js';
import { Deadlines, systemClock } from '../runtime/clock.js';
import { Question } from './asker.js';
import type { FleetInstance } from './fleet.js';
import { writeAnswer } from './wire.js';

const instance = (id: string): FleetInstance => ({
  ...{ id, service: 'shop', connection: 'default', host: 'h', pid: 1, version: '1' },
  startedAt: '2026-11-28T00:00:00.000Z',
});

/** A question, and what tells it of an answer. */
function asked(expect = Infinity) {
  const ends: GatherResult[] = [];
  const question: Question = new Question({
    message: { exchange: 'x', routingKey: '', content: Buffer.alloc(0), mandatory: true, properties: {} },
    timeout: 60_000,
    expect,
    maxBytes: Infinity,
    keep: ({ content }) => ({ bytes: content.length, part: () => ({ kind: 'end' }) }),
    cancellation: undefined,
    deadlines: new Deadlines(systemClock),
    whyUnsent: () => undefined,
    onEnd: (result) => ends.push(result),
  });
  let replies = 0;
  const reply = (content: Buffer, run = String(replies++)): void =>
    question.onReply({
      content,
      properties: { headers: { 'x-warren-run': run } },
    } as unknown as ReceivedMessage);
  /** Ends it as its time does, so that its deadline is gone. */
  const over = (): void => question.fail(new Error('over'));
  return { question, ends, reply, over };
}

describe('a question', () => {
  it('is not ended by what is no answer, however much of it comes first', () => {
    const { question, ends, reply } = asked(1);
    for (let n = 0; n < 20_000; n++) reply(Buffer.from('{"from":{"id":"x"},"value":1}'));
    reply(Buffer.alloc(300_000));
    expect(ends).toEqual([]);
    reply(writeAnswer(instance('real'), { value: 1 }));
    expect(ends).toHaveLength(1);
    expect(question.read.map(({ from }) => from.id)).toEqual(['real']);
    expect(question.leftOut).toBe(20_001);
  });

  it('goes on when more well-formed answers come than any fleet has, and keeps 5000', () => {
    const { question, ends, reply, over } = asked();
    for (let n = 0; n < 12_000; n++) reply(writeAnswer(instance(`forged ${n}`), { value: n }));
    expect(ends).toEqual([]);
    expect([question.read.length, question.leftOut]).toEqual([5_000, 7_000]);
    over();
  });

  it('keeps 16 MiB, and reads no more of what is none', () => {
    const { question, reply, over } = asked();
    const large = writeAnswer(instance('large'), { value: 'x'.repeat(200_000) });
    for (let n = 0; n < 100; n++) reply(large);
    const most = Math.floor((16 * 1_024 * 1_024) / large.length);
    expect([question.read.length, question.leftOut]).toEqual([most, 100 - most]);
    over();
  });
});
