// What a failed attempt says in the log of an application: one line, with its fields where the logger writes fields, and
// one readable text where it writes text. With the real loggers, in the versions that people use.
import { afterEach, describe, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { ConsoleLogger, Injectable, Logger, type LoggerService, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import {
  Consume,
  nestLogger,
  Publisher,
  RabbitModule,
  RpcHandler,
  type LogFields,
  type RpcRemoteError,
} from '@warren/nestjs';
// What WinstonModule.createLogger returns; the module itself needs Nest 12 to be required, which jest cannot.
import { WinstonLogger } from 'nest-winston/dist/winston.classes.js';
import { Logger as PinoLogger, LoggerModule } from 'nestjs-pino';
import winston from 'winston';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { apps } from '../support/nest.js';

class BankAway extends Error {}
class CardDeclined extends Error {}

@Injectable()
class Payments {
  @Consume('payments', { retry: false, deadLetter: false })
  charge(): never {
    throw new BankAway('503');
  }

  @RpcHandler('authorize', { errors: [CardDeclined] })
  authorize(@Payload() what: string): never {
    throw what === 'declined' ? new CardDeclined('limit') : new BankAway('503');
  }
}

type Json = Record<string, unknown>;

const STACK = 'BankAway: 503\n    at charge (payments.ts:1:1)';
const FIELDS: LogFields = {
  ...{ event: 'message-failed', handler: 'Payments.charge', queue: 'payments', messageId: 'm-1' },
  ...{ attempt: 1, attempts: 5, error: 'BankAway', errorMessage: '503', deadLetterQueue: undefined },
};
const SHOWN = {
  ...{ event: 'message-failed', handler: 'Payments.charge', queue: 'payments', messageId: 'm-1' },
  ...{ attempt: 1, attempts: 5, error: 'BankAway', errorMessage: '503' },
};
const isNest12 = 'resolveMessage' in ConsoleLogger.prototype;

/** What `write` writes to standard output and standard error. */
function printed(write: () => void): string {
  const written: string[] = [];
  const streams = [process.stdout, process.stderr];
  const originals = streams.map((stream) => stream.write.bind(stream));
  for (const stream of streams) {
    stream.write = (text: string | Uint8Array) => (written.push(String(text)), true);
  }
  try {
    write();
  } finally {
    streams.forEach((stream, index) => (stream.write = originals[index]));
  }
  return written.join('');
}

/** The last line that was written as JSON. */
const json = (text: string): Json => JSON.parse(text.trim().split('\n').at(-1) ?? '') as Json;

/** Lets the application's logger be another one, and writes a line of each level that has failures. */
function write(level: 'warn' | 'error', fields: LogFields = { ...FIELDS, stack: STACK }): void {
  nestLogger(new Logger('Rabbit'))[level]('Payments.charge failed', fields);
}

afterEach(() => Logger.overrideLogger(false));

describe('a line', () => {
  it("of Nest's console is one readable text, and its stack follows", () => {
    Logger.overrideLogger(new ConsoleLogger({ colors: false }));
    for (const level of ['warn', 'error'] as const) {
      const [line, ...stack] = printed(() => write(level))
        .trimEnd()
        .split('\n');
      expect(line).toMatch(/^\[Nest\] .* (WARN|ERROR) \[Rabbit\] Payments\.charge failed$/);
      expect(stack.join('\n')).toBe(STACK);
      expect(printed(() => write(level, FIELDS)).trimEnd()).not.toContain('\n');
    }
  });

  it.each(['warn', 'error'] as const)("of Nest's JSON console at level %s has fields", (level) => {
    Logger.overrideLogger(new ConsoleLogger({ json: true }));
    const line = json(printed(() => write(level)));
    expect(line).toMatchObject({ level, context: 'Rabbit' });
    const stack = (line.stack ??
      (line.params as Json | undefined)?.stack ??
      (line.message as Json).stack) as string;
    expect(stack).toBe(STACK);
    if (isNest12) expect(line).toMatchObject({ message: 'Payments.charge failed', params: SHOWN });
    else expect(line).toMatchObject({ message: { message: 'Payments.charge failed', ...SHOWN } });
  });

  if (isNest12) {
    it("of Nest 12's JSON console has them beside the message when params are flattened", () => {
      Logger.overrideLogger(new ConsoleLogger({ json: true, flattenParams: true }));
      const line = json(printed(() => write('error')));
      expect(line).toMatchObject({ message: 'Payments.charge failed', stack: STACK, ...SHOWN });
    });
  }

  it('of pino has fields', async () => {
    const stream = new PassThrough();
    @Module({ imports: [LoggerModule.forRoot({ pinoHttp: { stream } as never })] })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    apps.push(app);
    app.useLogger(app.get(PinoLogger));
    const line = (level: 'warn' | 'error', fields?: LogFields): Json => {
      write(level, fields);
      return json(String(stream.read()));
    };
    const shown = { context: 'Rabbit', msg: 'Payments.charge failed', ...SHOWN };
    for (const [level, number] of [
      ['warn', 40],
      ['error', 50],
    ] as const) {
      const err = { type: 'BankAway', message: '503', stack: STACK };
      expect(line(level)).toMatchObject({ level: number, ...shown, err });
      expect(line(level, FIELDS)).not.toHaveProperty('err');
    }
  });

  it.each(['warn', 'error'] as const)('of winston at level %s has fields', (level) => {
    const stream = new PassThrough();
    const transports = [new winston.transports.Stream({ stream, format: winston.format.json() })];
    Logger.overrideLogger(new WinstonLogger(winston.createLogger({ transports })));
    write(level);
    expect(json(String(stream.read()))).toEqual({
      ...{ level, context: 'Rabbit', message: 'Payments.charge failed', stack: STACK, ...SHOWN },
    });
    write(level, FIELDS);
    expect(json(String(stream.read()))).not.toHaveProperty('stack');
  });

  it('of a logger of your own is text, or what you ask for', () => {
    const calls: unknown[][] = [];
    const note =
      (level: string) =>
      (...given: unknown[]): void =>
        void calls.push([level, ...given]);
    const own: LoggerService = { log: note('log'), warn: note('warn'), error: note('error') };
    Logger.overrideLogger(own);
    write('error');
    write('warn', FIELDS);
    expect(calls.splice(0)).toEqual([
      ['error', 'Payments.charge failed', STACK, 'Rabbit'],
      ['warn', 'Payments.charge failed', 'Rabbit'],
    ]);
    nestLogger(own, 'message').error('Payments.charge failed', FIELDS);
    expect(calls).toEqual([['error', { message: 'Payments.charge failed', ...SHOWN }]]);
  });

  it('of a logger without debug is left out', () => {
    Logger.overrideLogger({ log: () => undefined, warn: () => undefined, error: () => undefined });
    expect(() => nestLogger(new Logger('Rabbit')).debug?.('x', FIELDS)).not.toThrow();
  });
});

onEachBroker('a failed attempt in the log of an application', (broker) => {
  interface Line {
    readonly level: string;
    readonly text: string;
    readonly fields: LogFields;
  }

  async function started(): Promise<{ publisher: Publisher; lines: Collector<Line> }> {
    const lines = new Collector<Line>('lines about messages');
    const note = (level: string) => (text: string, fields?: LogFields) => {
      if (fields?.attempt !== undefined) lines.push({ level, text, fields });
    };
    const logger = { log: note('log'), warn: note('warn'), error: note('error') };
    @Module({
      imports: [RabbitModule.forRoot({ url: broker.url, service: 'bank', queueType: 'classic', logger })],
      providers: [Payments],
    })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    apps.push(app);
    return { publisher: app.get(Publisher), lines };
  }

  const failure = (publisher: Publisher, what: string): Promise<RpcRemoteError> =>
    publisher.request('authorize', what).then(
      () => Promise.reject(new Error('it was answered')),
      (error: RpcRemoteError) => error,
    );

  it('is one line with the class, the id and the stack', async () => {
    const { publisher, lines } = await started();
    const { messageId } = await publisher.send('payments', 1);
    const [{ level, text, fields }] = await lines.take(1);
    expect(text).toContain(`Payments.charge failed on message ${messageId} of queue 'payments'`);
    expect([level, fields.event, fields.error, fields.messageId]).toEqual([
      ...['error', 'message-failed', 'BankAway', messageId],
    ]);
    expect(fields.stack).toMatch(/^BankAway: 503\n\s+at .*charge/);
  });

  it('of a call is one line too, with the id that its caller got, and the class that its caller got', async () => {
    const { publisher, lines } = await started();
    const error = await failure(publisher, 'anything');
    const [{ text, fields }] = await lines.take(1);
    expect([error.remoteName, error.remoteMessage]).toEqual(['BankAway', `internal error ${fields.errorId}`]);
    expect(text).toContain(`BankAway: 503; the caller got 'internal error ${fields.errorId}'`);
    expect(lines.all).toHaveLength(1);
  });

  it('with a declared error is no error of the service', async () => {
    const { publisher, lines } = await started();
    expect((await failure(publisher, 'declined')).remoteName).toBe('CardDeclined');
    const [{ level, fields }] = await lines.take(1);
    expect([level, fields.event, fields.error]).toEqual(['log', 'declared-error', 'CardDeclined']);
  });
});
