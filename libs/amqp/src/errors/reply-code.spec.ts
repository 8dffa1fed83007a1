import { describe, expect, it } from '@jest/globals';
import { nearest } from '../options/option-checks.js';
import { hintFor, replyCodeIn } from './error-facts.js';

const DEPRECATED =
  'Connection closed: 541 (INTERNAL-ERROR) with message "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nIts use is not permitted per the configuration (overriding the default, which is permitted):"';

describe('reply codes', () => {
  it.each([
    ['Connection closed: 503 (COMMAND-INVALID) with message "COMMAND_INVALID - x"', 503],
    ['404 (NOT_FOUND)', 404],
    ["NOT_FOUND - no queue '403' in vhost '530'", undefined],
    ['cannot reach amqp://host540:5672/503', undefined],
    ['took 541 (ms)', undefined],
  ])('%s', (text, code) => {
    expect(replyCodeIn(text)).toBe(code);
  });
});

describe('what no other attempt changes', () => {
  it.each([
    ['503 (COMMAND-INVALID) with message "COMMAND_INVALID - unknown exchange type \'x-odd\'"', /plugin/],
    [
      '406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - unknown exchange type \'x-odd\'"',
      /plugin/,
    ],
    [DEPRECATED, /deprecated_features\.permit\.transient_nonexcl_queues = true/],
    ['540 (NOT-IMPLEMENTED) with message "NOT_IMPLEMENTED - x"', /lacks/],
  ])('%s', (text, hint) => {
    expect(hintFor(text)).toMatch(hint);
  });

  it.each(['541 (INTERNAL-ERROR) with message "INTERNAL_ERROR"', 'read ECONNRESET', "no queue '503'"])(
    'not %s',
    (text) => {
      expect(hintFor(text)).toBeUndefined();
    },
  );
});

describe('the name that was meant', () => {
  it.each([
    ['frame_max', 'frameMax'],
    ['HEARTBEAT', 'heartbeat'],
    ['hartbeat', 'heartbeat'],
    ['channelmax', 'channelMax'],
    ['vhost', undefined],
  ])('%s', (given, meant) => {
    expect(nearest(given, ['heartbeat', 'frameMax', 'channelMax'])).toBe(meant);
  });
});
