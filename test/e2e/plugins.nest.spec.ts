// Plugins in a Nest application: providers that are plugins, around everything that Nest does for a message.
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, Scope, UseGuards, UseInterceptors, type Type } from '@nestjs/common';
import type { CallHandler, CanActivate, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler, type DeliveryNext, type Plugin } from '@warren/nestjs';
import { onEachBroker } from '../support/brokers.js';
import { rejection } from '../support/warren.js';
import { start } from '../support/nest.js';

const current = new AsyncLocalStorage<string>();
const seen: string[] = [];
const see = (where: string): void => void seen.push(`${where} ${current.getStore()}`);

@Injectable()
class Names {
  readonly value = 'here';
}

@Injectable()
class Scoped implements Plugin {
  readonly name = 'scoped';

  constructor(private readonly names: Names) {}

  delivery(next: DeliveryNext): DeliveryNext {
    return (delivery) => current.run(this.names.value, () => next(delivery));
  }
}

@Injectable()
class Guard implements CanActivate {
  canActivate(): boolean {
    see('guard');
    return true;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    see('interceptor');
    return next.handle();
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  constructor() {
    see('request');
  }
}

@Injectable()
@UseGuards(Guard)
@UseInterceptors(Interceptor)
class Handlers {
  constructor(@Inject(PerRequest) readonly each: PerRequest) {}

  @RpcHandler('nest.plugged')
  handle(@Payload() value: number): number {
    see('handler');
    return value + 1;
  }
}

onEachBroker('plugins in a Nest application', (broker) => {
  const options = (plugins: readonly unknown[]) => ({
    url: broker.url,
    service: 'app',
    plugins: plugins as [],
  });

  it.each<[string, () => object]>([
    ['forRoot', () => RabbitModule.forRoot(options([Scoped]))],
    ['forRootAsync', () => RabbitModule.forRootAsync({ useFactory: async () => options([Scoped]) })],
    [
      'a factory that is given the plugin',
      () =>
        RabbitModule.forRootAsync({
          inject: [Names],
          useFactory: (names: Names) => options([new Scoped(names)]),
        }),
    ],
  ])(
    '%s: are around guards, interceptors, request-scoped providers and the handler',
    async (_how, imports) => {
      @Module({ providers: [Names], exports: [Names] })
      class NamesModule {}
      const dynamic = { global: true, module: NamesModule };
      const app = await start({
        imports: [dynamic, imports() as Type],
        providers: [Handlers, Scoped, PerRequest],
      });
      seen.length = 0;
      expect(await app.get(Publisher).request('nest.plugged', 1)).toBe(2);
      expect(seen.sort()).toEqual(['guard here', 'handler here', 'interceptor here', 'request here']);
    },
  );

  describe('at the start', () => {
    class Unknown {
      readonly name = 'unknown';
    }
    @Injectable({ scope: Scope.REQUEST })
    class Each {
      readonly name = 'each';
    }
    @Injectable()
    class Nameless {}
    @Injectable()
    class Sink {
      @Consume('nest.sink')
      take(): void {}
    }

    it.each<[string, unknown, RegExp]>([
      ['no provider', Unknown, /the plugin Unknown cannot be had/],
      ['one instance for each request', Each, /the plugin Each cannot be had/],
      ['a provider that is no plugin', Nameless, /plugins\[0\] is no plugin/],
      [
        'a start that fails',
        { name: 'bad', start: () => Promise.reject(new Error('no port')) },
        /'bad' could not start/,
      ],
    ])('%s is an error that says so', async (_what, plugin, text) => {
      const imports = [RabbitModule.forRoot(options([plugin]))];
      const failure = await rejection(start({ imports, providers: [Each, Nameless, Sink] }));
      expect(failure.message).toMatch(text);
    });
  });
});
