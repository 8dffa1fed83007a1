import { describe, expect, it } from '@jest/globals';
import { BadRequestException, ForbiddenException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { DecodeError, Reject } from '@warren/amqp';
import { filterError, remoteError } from './rpc-errors.js';

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
      'an object without a message',
      new RpcException({ status: 404, reason: 'x' }),
      {
        name: 'RpcException',
        message: 'the handler threw RpcException without a message: see its data',
        code: 404,
        data: { status: 404, reason: 'x' },
      },
    ],
    [
      'an exception that says nothing',
      new RpcException(undefined as never),
      { message: 'the handler threw RpcException without a message' },
    ],
    [
      'the bare payload a filter throws',
      filterError({ status: 'error', message: 'nope' }),
      { message: 'nope', code: 'error' },
    ],
    ['a text that a filter throws', filterError('not today'), { message: 'not today' }],
    ['what a guard refused with', Reject('wrapped', new RpcException('forbidden')), { message: 'forbidden' }],
    [
      'what a pipe refused with',
      new DecodeError('w', '', [], new BadRequestException('bad')),
      { message: 'bad' },
    ],
  ])('%s', (_case, error, facts) => {
    expect(remoteError(error)).toMatchObject(facts);
  });

  it.each([
    ...[new Error('secret'), new TypeError('secret'), 'secret', { reason: 'secret' }, null, undefined],
    ...[Reject('on purpose'), filterError(new Error('secret')), filterError(undefined)],
  ])('nothing of %p', (error) => {
    expect(remoteError(error)).toBeUndefined();
  });
});
