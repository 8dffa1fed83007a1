import { describe, expect, it } from '@jest/globals';
import { BadRequestException, ForbiddenException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { DecodeError, Reject } from '@warren/amqp';
import { remoteError } from './rpc-errors.js';

describe('what a remote caller may know', () => {
  it.each<[string, unknown, object]>([
    ['a text', new RpcException('sold out'), { name: 'RpcException', message: 'sold out' }],
    [
      'an object',
      new RpcException({ code: 'E1', message: 'sold out', left: 0 }),
      {
        name: 'RpcException',
        message: 'sold out',
        code: 'E1',
        data: { code: 'E1', message: 'sold out', left: 0 },
      },
    ],
    ['an HTTP error', new ForbiddenException('no'), { name: 'ForbiddenException', message: 'no', code: 403 }],
    ['a list of findings', new BadRequestException(['a', 'b']), { message: 'a; b', code: 400 }],
    [
      'the bare payload a filter throws',
      { status: 'error', message: 'nope' },
      { message: 'nope', code: 'error' },
    ],
    ['what a guard refused with', Reject('wrapped', new RpcException('forbidden')), { message: 'forbidden' }],
    [
      'what a pipe refused with',
      new DecodeError('w', '', [], new BadRequestException('bad')),
      { message: 'bad' },
    ],
  ])('%s', (_case, error, facts) => {
    expect(remoteError(error)).toMatchObject(facts);
  });

  it.each([new Error('secret'), new TypeError('secret'), 'secret', null, undefined, Reject('on purpose')])(
    'nothing of %p',
    (error) => {
      expect(remoteError(error)).toBeUndefined();
    },
  );
});
