import { describe, expect, it } from '@jest/globals';
import { json, safe } from './print.js';

const HOSTILE = '\u001b]0;owned\u0007\u009b31m\u202e\u200b\u061c\u180e\u00ad\u{e0041}\ud800\r\n';
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

describe('what `warren` prints', () => {
  it('has no control or invisible characters, as text and as JSON', () => {
    expect(safe(HOSTILE)).not.toMatch(UNSEEN);
    expect(json({ [HOSTILE]: HOSTILE })).not.toMatch(UNSEEN);
  });

  it('parses to the same value when it is JSON', () => {
    const value = { text: `${HOSTILE.replace('\ud800', '')} 😀` };
    expect(JSON.parse(json(value))).toEqual(value);
  });
});
