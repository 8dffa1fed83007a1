import { describe, expect, it } from '@jest/globals';
import { AmqpFailure } from '../model/failure.js';
import { decodeTable, encodeTable, type Field, type Table } from './field-table.js';
import { decodeMethod, encodeMethod, methodIds } from './method-codec.js';
import { fromTable, toTable } from './plain.js';
import { changeProperties, hasProperty, splitProperties, textProperty } from './properties.js';

describe('The method codec', () => {
  it('brings back every kind of field', () => {
    const args = {
      ticket: 7,
      queue: 'größe',
      consumerTag: '',
      noLocal: true,
      noAck: false,
      exclusive: true,
      nowait: true,
      arguments: encodeTable(toTable({ 'x-priority': 5 })),
    };
    expect(decodeMethod(encodeMethod('basic.consume', args))).toEqual({ name: 'basic.consume', args });
  });

  it.each(['', 'orders', 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(255), 'Bücher', 'ü'.repeat(40)])(
    'writes and reads what comes with every message as all other methods: %s',
    (text) => {
      const publish = { ticket: 7, exchange: text, routingKey: text, mandatory: true, immediate: false };
      expect(decodeMethod(encodeMethod('basic.publish', publish))).toEqual({
        name: 'basic.publish',
        args: publish,
      });
      const deliver = {
        consumerTag: text,
        deliveryTag: 2 ** 40 + 5,
        redelivered: true,
        exchange: text,
        routingKey: text,
      };
      expect(decodeMethod(encodeMethod('basic.deliver', deliver))).toEqual({
        name: 'basic.deliver',
        args: deliver,
      });
    },
  );

  it('keeps delivery tags beyond 32 bits', () => {
    const args = { deliveryTag: 2 ** 40 + 3, multiple: true };
    expect(decodeMethod(encodeMethod('basic.ack', args))).toEqual({ name: 'basic.ack', args });
  });

  it('cuts a short string at 255 bytes', () => {
    const method = decodeMethod(encodeMethod('basic.cancel-ok', { consumerTag: 'x'.repeat(300) }));
    expect(method).toEqual({ name: 'basic.cancel-ok', args: { consumerTag: 'x'.repeat(255) } });
  });

  it('refuses a method that AMQP does not have with 503', () => {
    expect(() => decodeMethod(Buffer.from([0, 99, 0, 1]))).toThrow(
      new AmqpFailure(503, 'unknown method 99.1'),
    );
  });

  it.each([4, 9])('refuses a method that ends after %d bytes with 501', (size) => {
    const whole = encodeMethod('basic.nack', { deliveryTag: 1, multiple: false, requeue: true });
    expect(() => decodeMethod(whole.subarray(0, size))).toThrow('FRAME_ERROR - cannot decode <<');
  });

  it('knows the ids of a method', () => {
    expect(methodIds('queue.declare')).toEqual([50, 10]);
  });
});

const fields: readonly Field[] = [
  { type: 'longstr', value: 'text' },
  { type: 'bool', value: true },
  { type: 'void', value: null },
  { type: 'byte', value: -1 },
  { type: 'unsignedbyte', value: 255 },
  { type: 'short', value: -300 },
  { type: 'unsignedshort', value: 65_535 },
  { type: 'signedint', value: -70_000 },
  { type: 'unsignedint', value: 4_000_000_000 },
  { type: 'long', value: -(2n ** 60n) },
  { type: 'timestamp', value: 1_700_000_000n },
  { type: 'float', value: 1.5 },
  { type: 'double', value: 0.1 },
  { type: 'decimal', value: '2:314' },
  { type: 'binary', value: Buffer.from([0, 255]) },
];

describe('A field table', () => {
  it.each(fields.map((field) => [field.type, field] as const))('keeps a value of type %s', (_, field) => {
    const table: Table = new Map<string, Field>([
      ['plain', field],
      ['list', { type: 'array', value: [field, field] }],
      ['inner', { type: 'table', value: new Map([['deep', field]]) }],
    ]);
    expect(decodeTable(encodeTable(table))).toEqual(table);
  });

  it('is refused with 502 when a value has an unknown type', () => {
    expect(() => decodeTable(Buffer.from('\u0001aZ'))).toThrow('SYNTAX_ERROR');
  });

  it('is refused with 502 when a length is a lie', () => {
    expect(() => decodeTable(Buffer.from([1, 0x61, 0x53, 0xff, 0xff, 0xff, 0xff]))).toThrow('SYNTAX_ERROR');
  });

  it('is refused with 502 when it is nested without end', () => {
    let table: Table = new Map();
    for (let depth = 0; depth < 100; depth += 1) table = new Map([['t', { type: 'table', value: table }]]);
    expect(() => decodeTable(encodeTable(table))).toThrow('nested too deeply');
  });

  it('becomes plain data', () => {
    const plain = { text: 'a', number: 1, half: 0.5, yes: true, none: null, list: [1, 'b'], inner: { c: 2 } };
    expect(fromTable(decodeTable(encodeTable(toTable(plain))))).toEqual(plain);
  });
});

describe('Properties', () => {
  const raw = changeProperties(Buffer.alloc(2), [
    ['contentType', textProperty('text/plain')],
    ['priority', Buffer.from([4])],
    ['expiration', textProperty('100')],
    ['appId', textProperty('tests')],
  ]);

  it('are taken apart and put together without a change', () => {
    expect([...splitProperties(raw).keys()]).toEqual(['contentType', 'priority', 'expiration', 'appId']);
    expect(changeProperties(raw, [])).toEqual(raw);
  });

  it('lose exactly the one that is taken away', () => {
    const less = changeProperties(raw, [['expiration', undefined]]);
    expect([hasProperty(less, 'expiration'), hasProperty(less, 'appId')]).toEqual([false, true]);
    expect(splitProperties(less).get('appId')).toEqual(textProperty('tests'));
  });

  it('are refused with 502 when flags and bytes do not fit', () => {
    expect(() => splitProperties(raw.subarray(0, raw.length - 1))).toThrow('SYNTAX_ERROR');
    expect(() => splitProperties(Buffer.concat([raw, Buffer.from([1])]))).toThrow('SYNTAX_ERROR');
  });
});
