// Options, URLs and handlers that make no sense are refused at boot, with an error that names what is wrong and who
// asked, and without the password.
import { describe, expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { eventOf, rejection, taken, warren, type Warren } from '../support/warren.js';

const NOWHERE = 'amqp://user:s3cr3t@127.0.0.1:1';
const long = 'é'.repeat(200);

const options: [string, unknown, RegExp][] = [
  ['prefetch', 70_000, /integer between 1 and 65535/],
  ['prefetch', 'x', /an integer between/],
  ['prefetch', 0, /an integer between/],
  ['concurrency', -1, /an integer between/],
  ['heartbeat', -1, /duration/],
  ['heartbeat', 'soon', /duration/],
  ['shutdown', NaN, /duration/],
  ['connectTimeout', '5 apples', /duration/],
  ['startupTimeout', {}, /duration/],
  ['reconnect', { min: -5 }, /'reconnect.min' must be a duration/],
  ['retry', { attempts: 0 }, /'retry.attempts' must be an integer between 1 and 1000, but is 0/],
  ['retry', { attempt: 3 }, /no option 'retry.attempt' \(did you mean attempts\?/],
  ['rpc', { timeout: -1 }, /'rpc.timeout' must be a duration .*but is -1/],
  ['rpc', { reply: 'pigeon' }, /'direct' or 'queue'/],
  ['publish', { buffer: { messages: 'many' } }, /'publish.buffer.messages' must be .*but is 'many'/],
  ['url', '', /non-empty/],
  ['url', 5, /'url'/],
  ['service', '', /200 bytes/],
  ['service', long, /200 bytes/],
  ['service', 'a\0b', /200 bytes/],
  ['service', 's'.repeat(201), /200 bytes/],
  ['service', 'a\r\nb', /line breaks/],
  ['exchange', 'a\nb', /line breaks/],
  ['deadLetter', false, /object/],
  ['deadLetter', { brocker: true }, /no option 'deadLetter.brocker' \(did you mean broker\?/],
  ['reconnect', { min: '10s', max: '1s' }, /above reconnect.max/],
  ['exchange', 5, /255 bytes/],
  ['queueType', 'quantum', /'quorum' or/],
  ['startup', 'maybe', /'require' or 'background'/],
  ['consumers', 'no', /true or false/],
  ['maxMessageBytes', 0, /an integer between/],
  ['logger', 'loud', /object/],
  ['nonsense', 1, /there is no option 'nonsense'/],
];

const handlers: [string, (rabbit: Warren) => unknown, RegExp][] = [
  ['a queue without a name', (rabbit) => rabbit.consume('', () => 1), /@Consume/],
  ['a queue name of 400 bytes', (rabbit) => rabbit.consume(long, () => 1), /queue is 400 bytes/],
  ['a queue name with NUL', (rabbit) => rabbit.consume('a\0', () => 1), /NUL/],
  ['a queue that is a number', (rabbit) => rabbit.consume(5 as unknown as string, () => 1), /@Consume/],
  [
    'a pattern of 400 bytes',
    (rabbit) => rabbit.subscribe(long, () => 1, { id: 'x' }),
    /routing key is 400 bytes/,
  ],
  [
    'a pattern that is an object',
    (rabbit) => rabbit.subscribe([{} as string], () => 1, { id: 'x' }),
    /routing key must be a string/,
  ],
  [
    'a pattern with two stars',
    (rabbit) => rabbit.subscribe('a.**', () => 1, { id: 'x' }),
    /'\*\*' in the pattern 'a\.\*\*'/,
  ],
  [
    'a pattern with half a word',
    (rabbit) => rabbit.subscribe('order.*created', () => 1, { id: 'x' }),
    /is not a wildcard/,
  ],
  [
    'an option with a typing error',
    (rabbit) => rabbit.consume('q', () => 1, { prefech: 1 } as object),
    /there is no option 'prefech'/,
  ],
  ['a prefetch of 0', (rabbit) => rabbit.consume('q', () => 1, { prefetch: 0 }), /'prefetch'/],
  ['a timeout below zero', (rabbit) => rabbit.consume('q', () => 1, { timeout: -1 }), /'timeout'/],
  [
    'a delay that is no duration',
    (rabbit) => rabbit.consume('q', () => 1, { retry: { delays: 'soon' as '1s' } }),
    /'retry\.delays' must be .*but is 'soon'/,
  ],
  ['a batch in RPC', (rabbit) => rabbit.rpc('x', () => 1, { batch: { size: 2 } }), /@RpcHandler x/],
  [
    'an exchange without a name',
    (rabbit) => rabbit.subscribe('k', () => 1, { id: 'x', exchange: {} as { name: string } }),
    /exchange/,
  ],
  [
    'a binding to the default exchange',
    (rabbit) => rabbit.consume('q', () => 1, { bindings: [{ exchange: '', key: 'k' }] }),
    /default exchange/,
  ],
  [
    'a queue whose dead-letter queue has a name of 256 bytes',
    (rabbit) => rabbit.consume('q'.repeat(251), () => 1),
    /@Consume q+: the name of its dead-letter queue 'q+\.dead' is 256 bytes long/,
  ],
  ['a queue name with a line break', (rabbit) => rabbit.consume('a\r\nb', () => 1), /line break/],
  [
    'an exchange name with a line break',
    (rabbit) => rabbit.subscribe('k', () => 1, { id: 'x', exchange: { name: 'a\nb' } }),
    /line break/,
  ],
  ...['newest', '1d', '7', '1.5h', '0s', new Date(NaN), -1, {}].map(
    (offset): [string, (rabbit: Warren) => unknown, RegExp] => [
      `the offset ${JSON.stringify(offset)} of a stream`,
      (rabbit) => rabbit.consume('q', () => 1, { stream: { offset: offset as 'first' } }),
      /@Consume q: 'stream.offset' must be 'first', 'last', 'next'/,
    ],
  ),
  ...(
    [
      ['queueType', 'quorum', 'x-queue-type', 'classic'],
      ['messageTtl', '1m', 'x-message-ttl', 5],
      ['maxLength', 5, 'x-max-length', 6],
      ['maxPriority', 5, 'x-max-priority', 6],
      ['singleActive', true, 'x-single-active-consumer', false],
      ['singleActive', false, 'x-single-active-consumer', true],
    ] as const
  ).map(([option, value, argument, other]): [string, (rabbit: Warren) => unknown, RegExp] => [
    `${option} ${value} beside ${argument} ${other}`,
    (rabbit) => rabbit.consume('q', () => 1, { [option]: value, arguments: { [argument]: other } }),
    new RegExp(`@Consume q: queue 'q' has ${option} .* and arguments\\['${argument}'\\]`),
  ]),
  [
    'an alternate exchange beside its argument',
    (rabbit) =>
      rabbit.subscribe('k', () => 1, {
        id: 'x',
        exchange: { name: 'e', alternateExchange: 'a', arguments: { 'alternate-exchange': 'b' } },
      }),
    /exchange 'e' has alternateExchange/,
  ],
  ['a schema that is none', (rabbit) => rabbit.consume('q', () => 1, { schema: 5 as never }), /'schema'/],
];

describe('configuration that makes no sense', () => {
  it.each(options)('%s: %p', (name, value, says) => {
    const make = (): unknown => warren(NOWHERE, { [name]: value });
    expect(make).toThrow(says);
    expect(make).toThrow(new RegExp(`'${name}'|${name}\\.`));
    expect(make).toThrow(expect.objectContaining({ code: 'WARREN_CONFIG' }));
    expect(make).not.toThrow(/s3cr3t/);
  });

  it.each(handlers)('%s', (_name, register, says) => {
    const rabbit = warren(NOWHERE);
    expect(() => register(rabbit)).toThrow(says);
    expect(() => register(rabbit)).toThrow(expect.objectContaining({ code: 'WARREN_CONFIG' }));
    expect(rabbit.broker.status().connections.map(({ state }) => state)).not.toContain('connecting');
  });

  it('two handlers that want one queue in two ways', async () => {
    const rabbit = warren(NOWHERE).consume('q', () => 1, { maxPriority: 5 });
    const both = async (): Promise<void> => {
      rabbit.consume('q', () => 1, { maxPriority: 9 });
      await rabbit.broker.open();
    };
    expect(await rejection(both())).toMatchObject({
      code: 'WARREN_CONFIG',
      message: expect.stringContaining("'q'"),
    });
  });
});

onEachBroker('configuration that is odd, and right', (broker) => {
  it('a key of 255 bytes, and queue names in any script, work', async () => {
    const key = 'k'.repeat(255);
    const queue = 'очередь ✉ "q" \\ %00';
    const rabbit = await warren(broker.url)
      .consume(queue, () => 1)
      .subscribe(key, () => 1, { id: 'long' })
      .open();
    await rabbit.broker.send(queue, 1);
    expect((await rabbit.broker.publish(key, 1)).routed).toBe(true);
    for (let n = 0; n < 2; n++) expect((await eventOf(rabbit, 'handled')).verdict.kind).toBe('ack');
    await rabbit.broker.send(queue, Buffer.from('{'), { contentType: 'application/json' });
    expect((await taken(broker, `${queue}.dead`)).properties.headers?.['x-warren-queue']).toBe(queue);
  });
});
