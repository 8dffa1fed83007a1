// @OnRabbitEvent: who hears what and when, what it refuses at boot, and that a listener harms nobody.

import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  type LoggerService,
  type ModuleMetadata,
  type OnModuleInit,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  Consume,
  OnRabbitEvent,
  Publisher,
  RabbitModule,
  type BrokerEvent,
  type BrokerEventOf,
  type RabbitModuleOptions,
} from '@warren/nestjs';
import { onEachBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { start } from '../support/nest.js';

class Lines implements LoggerService {
  readonly all: string[] = [];
  readonly log = (line: string): void => void this.all.push(line);
  readonly warn = this.log;
  readonly error = this.log;
}

@Injectable()
class Orders {
  @Consume('events.orders')
  place(): void {}
}

@Injectable()
class Everything {
  readonly heard: BrokerEvent[] = [];

  @OnRabbitEvent('*')
  all(event: BrokerEvent): void {
    this.heard.push(event);
  }

  kinds(): string[] {
    return this.heard.map(({ kind }) => kind);
  }
}

onEachBroker('@OnRabbitEvent', (broker) => {
  const options = (more: RabbitModuleOptions = {}): RabbitModuleOptions => {
    return {
      url: broker.url,
      service: 'events',
      queueType: 'classic',
      reconnect: { min: 20, max: 200 },
      ...more,
    };
  };

  it('hears everything from the first connected to the last closed', async () => {
    const app = await start({
      imports: [RabbitModule.forRoot(options())],
      providers: [Orders, Everything],
    });
    const listener = app.get(Everything);
    await app.get(Publisher).send('events.orders', { id: 1 });
    await until(() => listener.kinds().includes('settled'), 'the message to be settled');
    await app.close();
    const kinds = listener.kinds();
    expect(kinds.filter((kind) => kind === 'connected')).toHaveLength(2);
    expect(kinds).toEqual(expect.arrayContaining(['consumer-ready', 'published', 'handled', 'settled']));
    expect(kinds.indexOf('connected')).toBeLessThan(kinds.indexOf('consumer-ready'));
    expect(kinds.indexOf('closing')).toBeLessThan(kinds.indexOf('closed'));
    expect(kinds.at(-1)).toBe('closed');
  });

  it('a method hears the kinds it named, with their own fields, and decorators add up', async () => {
    const heard: string[] = [];

    @Controller()
    class Metrics {
      @OnRabbitEvent('handled')
      count({ handler, verdict, ms }: BrokerEventOf<'handled'>): void {
        heard.push(`${handler} ${verdict.kind} ${ms >= 0}`);
      }

      @OnRabbitEvent(['connected', 'disconnected'])
      @OnRabbitEvent('consumer-ready')
      link(event: BrokerEventOf<'connected' | 'disconnected' | 'consumer-ready'>): void {
        heard.push(event.kind === 'consumer-ready' ? event.queue : `${event.connection} ${event.kind}`);
      }
    }

    const app = await start({
      imports: [RabbitModule.forRoot(options())],
      providers: [Orders],
      controllers: [Metrics],
    });
    expect([...heard].sort()).toEqual([
      'events.orders',
      'events:consume connected',
      'events:publish connected',
    ]);
    heard.length = 0;
    await app.get(Publisher).send('events.orders', {});
    await until(() => heard.length > 0, 'the message to be handled');
    expect(heard).toEqual(['Orders.place ack true']);
  });

  it('hears what a publish in onModuleInit connects', async () => {
    @Injectable()
    class Early implements OnModuleInit {
      constructor(private readonly publisher: Publisher) {}

      async onModuleInit(): Promise<void> {
        await this.publisher.publish('early', {});
      }
    }
    const app = await start({
      imports: [RabbitModule.forRoot(options())],
      providers: [Early, Everything],
    });
    const kinds = app.get(Everything).kinds();
    expect([kinds[0], kinds.includes('published')]).toEqual(['connected', true]);
  });

  it('hears a loss and the way back', async () => {
    const app = await start({
      imports: [RabbitModule.forRoot(options())],
      providers: [Orders, Everything],
    });
    const listener = app.get(Everything);
    await broker.closeConnections();
    await until(
      () => listener.kinds().filter((kind) => kind === 'consumer-ready').length === 2,
      'the consumer to be back',
    );
    expect(listener.kinds()).toEqual(expect.arrayContaining(['disconnected', 'consumer-lost']));
  });

  it('each connection has listeners of its own', async () => {
    const heard: string[] = [];

    @Injectable()
    class Two {
      @OnRabbitEvent('connected')
      first({ connection }: BrokerEventOf<'connected'>): void {
        heard.push(`default: ${connection}`);
      }

      @OnRabbitEvent('connected', { connection: 'audit' })
      second({ connection }: BrokerEventOf<'connected'>): void {
        heard.push(`audit: ${connection}`);
      }
    }
    await start({
      imports: [
        RabbitModule.forRoot(options({ service: 'one' })),
        RabbitModule.forRoot('audit', options({ service: 'two' })),
      ],
      providers: [Two],
    });
    expect(heard.sort()).toEqual(['audit: two:publish', 'default: one:publish']);
  });

  it('what a listener throws or rejects with is logged with its name, and messages are handled as ever', async () => {
    const logger = new Lines();

    @Injectable()
    class Careless {
      @OnRabbitEvent('published')
      throws(): void {
        throw new Error('metrics are down');
      }

      @OnRabbitEvent('handled')
      async rejects(): Promise<void> {
        await Promise.reject(new Error('so are statistics'));
      }
    }
    const app = await start({
      imports: [RabbitModule.forRoot(options({ logger }))],
      providers: [Orders, Everything, Careless],
    });
    await app.get(Publisher).send('events.orders', {});
    await until(() => app.get(Everything).kinds().includes('settled'), 'the message to be settled');
    const failed = (line: string): boolean => line.includes('a listener of');
    await until(() => logger.all.filter(failed).length === 2, 'both to be logged');
    expect(logger.all.filter(failed).sort()).toEqual([
      "a listener of 'handled' (Careless.rejects) failed: Error: so are statistics",
      "a listener of 'published' (Careless.throws) failed: Error: metrics are down",
    ]);
  });

  describe('refuses at boot', () => {
    const refused = async (metadata: ModuleMetadata): Promise<string> => {
      const error: Error = await start({
        ...metadata,
        imports: [RabbitModule.forRoot(options()), ...(metadata.imports ?? [])],
      }).then(
        () => new Error('it started'),
        (reason: unknown) => reason as Error,
      );
      return error.message;
    };

    it('a request-scoped class', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class PerRequest {
        @OnRabbitEvent('connected')
        hear(): void {}
      }
      expect(await refused({ providers: [PerRequest] })).toMatch(
        /^PerRequest has @OnRabbitEvent and is request-scoped: it has no single instance to call/,
      );
    });

    it('a class that injects something request-scoped', async () => {
      @Injectable()
      class Below {
        constructor(@Inject(REQUEST) readonly request: unknown) {}

        @OnRabbitEvent('connected')
        hear(): void {}
      }
      expect(await refused({ providers: [Below] })).toMatch(
        /^Below has @OnRabbitEvent and is request-scoped/,
      );
    });

    it('a transient class', async () => {
      @Injectable({ scope: Scope.TRANSIENT })
      class Fresh {
        @OnRabbitEvent('connected')
        hear(): void {}
      }
      expect(await refused({ providers: [Fresh] })).toMatch(/^Fresh has @OnRabbitEvent and is transient/);
    });

    it('a class that is provided twice', async () => {
      @Module({ providers: [Everything] })
      class Other {}
      expect(await refused({ imports: [Other], providers: [Everything] })).toMatch(
        /^Everything has @OnRabbitEvent and is provided twice, by \w+ and \w+: each event would be handled twice/,
      );
    });

    it('a connection that nobody configured', async () => {
      @Injectable()
      class Lost {
        @OnRabbitEvent('connected', { connection: 'nowhere' })
        hear(): void {}
      }
      expect(await refused({ providers: [Lost] })).toMatch(
        /^Lost\.hear listens to the connection 'nowhere', which is not configured/,
      );
    });
  });
});

describe('the decorator @OnRabbitEvent', () => {
  it('refuses a kind that does not exist, and says which do', () => {
    expect(() => OnRabbitEvent('conected' as 'connected')).toThrow(
      /there is no event 'conected'.*disconnected/s,
    );
  });

  it('refuses what is no method of instances', () => {
    class Plain {
      static hear(): void {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Plain, 'hear') as TypedPropertyDescriptor<() => void>;
    expect(() => OnRabbitEvent('connected')(Plain, 'hear', descriptor)).toThrow(
      'Plain.hear cannot hear events',
    );
  });

  it('gives the method an event of its kind, and the compiler holds that', () => {
    class Typed {
      @OnRabbitEvent('disconnected')
      right({ reason }: BrokerEventOf<'disconnected'>): string {
        return reason;
      }

      // @ts-expect-error: a published event has no reason
      @OnRabbitEvent('published')
      wrong({ reason }: { reason: string }): string {
        return reason;
      }

      // @ts-expect-error: there is no such kind
      @OnRabbitEvent('*')
      narrow({ connection }: BrokerEventOf<'blocked'>): string {
        return connection;
      }
    }
    expect(Object.getOwnPropertyNames(Typed.prototype)).toEqual(
      expect.arrayContaining(['constructor', 'right', 'wrong', 'narrow']),
    );
  });
});
