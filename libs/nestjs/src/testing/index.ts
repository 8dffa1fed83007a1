// The public API of @warren/nestjs/testing.

export type { DeadLetter, FailedRun, Published } from './probe.js';
export { RabbitTesting, type RabbitTestingOptions } from './rabbit-testing.js';
