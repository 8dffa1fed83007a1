// Handlers in an application without RabbitModule would never receive anything, and nothing of this library would run
// to say so. The hook that the decorators put on such classes does: Nest calls it before the application is there.

import { ConfigError } from '@warren/amqp';

const HOOK = 'onApplicationBootstrap';

/** Metadata of prototypes, so that an application that loads this package twice, as ESM and CommonJS, works. */
const SERVED_KEY = 'warren:served';

const demanding = new WeakSet<object>();

/** RabbitModule found these classes in its application. */
export function serve(prototypes: Iterable<object>): void {
  for (const prototype of prototypes) Reflect.defineMetadata(SERVED_KEY, true, prototype);
}

/** The start of an application fails with a ConfigError when it has this class and no RabbitModule. */
export function demandModule(prototype: object): void {
  if (demanding.has(prototype)) return;
  demanding.add(prototype);
  const own = Object.getOwnPropertyDescriptor(prototype, HOOK)?.value as Hook | undefined;
  Object.defineProperty(prototype, HOOK, {
    configurable: true,
    writable: true,
    value(this: object): unknown {
      if (!Reflect.getMetadata(SERVED_KEY, this)) throw noModule(this.constructor.name);
      const hook = own ?? (Object.getPrototypeOf(prototype) as Record<string, Hook | undefined>)[HOOK];
      return hook?.call(this);
    },
  });
}

type Hook = (this: object) => unknown;

function noModule(className: string): ConfigError {
  return new ConfigError(
    `${className} has decorators of @warren/nestjs, but its application has no RabbitModule: it would receive nothing`,
    'import RabbitModule.forRoot({ ... }) in the root module; in a test, see RabbitTesting',
  );
}
