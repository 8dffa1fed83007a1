// Names inside Nest that the library repeats, compared with the installed Nest: on 12 and on 11.

import { describe, expect, it } from '@jest/globals';
import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
} from '@nestjs/common/constants.js';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import { ENHANCER_KEYS, PARAMETERS_KEY } from '../../libs/nestjs/src/runtime/nest-internals.js';

describe('names inside Nest', () => {
  it('are the ones the library uses', () => {
    expect(PARAMETERS_KEY).toBe(PARAM_ARGS_METADATA);
    expect(ENHANCER_KEYS).toEqual({
      guard: GUARDS_METADATA,
      interceptor: INTERCEPTORS_METADATA,
      pipe: PIPES_METADATA,
      filter: EXCEPTION_FILTERS_METADATA,
    });
  });
});
