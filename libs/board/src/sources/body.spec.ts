// A body as text is the body: what somebody edits of it changes, and nothing else does.
import { describe, expect, it } from '@jest/globals';
import { MOST_SHOWN, payloadShown, shown } from './body.js';

const of = (content: Buffer | string, properties: object = { contentType: 'application/json' }) => ({
  content: Buffer.from(content as string),
  headers: {},
  properties,
});
const body = (...given: Parameters<typeof of>) => shown(of(...given), undefined).body;

describe('JSON', () => {
  it.each([
    ['{"id":"x","sku":"","at":{"lines":[1,{"a":null}],"none":[],"nothing":{}}}'],
    ['[]'],
    ['{}'],
    ['"a"'],
    ['-1.5'],
    [' [ 1 , [ ] , { } ] '],
    ['{"a, {b": "c: [d]", "e\\"f": "\\\\"}'],
  ])('%s is shown as JSON.stringify shows it', (json) => {
    expect(body(json)).toMatchObject({
      kind: 'json',
      text: JSON.stringify(JSON.parse(json), undefined, 2),
      cut: false,
    });
  });

  it('keeps digits, equal names and the way texts are written', () => {
    const json = String.raw`{"id":9007199254740993,"rate":1e400,"a":1.0,"a":2,"text":"\u00e9\/\ud83d"}`;
    const { text } = body(json);
    expect(text.split('\n')).toHaveLength(7);
    expect(text.replace(/\n\s*|(?<=:) /g, '')).toBe(json);
  });

  it('is cut, however deep and long it is', () => {
    for (const json of ['['.repeat(3_000) + ']'.repeat(3_000), `"${'x'.repeat(1_000_000)}"`]) {
      const { kind, text, cut } = body(json);
      expect([kind, text.length, cut]).toEqual(['json', MOST_SHOWN, true]);
    }
  });
});

describe('text', () => {
  const plain = { contentType: 'text/plain' };

  it.each(['a;1\r\nb;2', '\ufeffbom', 'an end that is no cut: \ufffd', 'ä'])(
    '%j is shown as it is',
    (text) => {
      expect(body(text, plain)).toMatchObject({ kind: 'text', text, cut: false });
    },
  );

  it('of another encoding is bytes, at its end too', () => {
    expect(body(Buffer.from('caf\u00e9', 'latin1'), plain)).toMatchObject({ kind: 'hex', text: '636166e9' });
  });

  it('is cut between characters', () => {
    for (let before = 0; before < 4; before++) {
      const { kind, text, cut } = body(`${'x'.repeat(MOST_SHOWN - before)}\u{1f600}y`, plain);
      expect([kind, text, cut]).toEqual(['text', 'x'.repeat(MOST_SHOWN - before), true]);
    }
  });
});

it('a payload that cannot be masked is none', () => {
  const failing = (): never => {
    throw new Error('no');
  };
  expect(payloadShown(of('{"card":"4711"}'), failing)).toBeUndefined();
});
