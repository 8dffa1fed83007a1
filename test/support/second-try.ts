// A test that fails is tried a second time, and the block at the end of `npm test` names what passed only then: brokers,
// processes and proxies share two cores, and a run of thousands of tests should not be lost to one late answer.
// `npm test -- --strict` has none. Where the question is whether a message was lost or a password was told, there is no second try.
import { expect, jest } from '@jest/globals';

const { testPath = '' } = expect.getState();
if (!process.env.WARREN_STRICT && !/[\\/](faults[\\/]|secrets\.)/.test(testPath))
  jest.retryTimes(1, { logErrorsBeforeRetry: true });
