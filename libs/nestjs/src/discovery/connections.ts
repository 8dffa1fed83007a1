// Which connections an application has.

import type { ModulesContainer } from '@nestjs/core';
import { ConfigError } from '@warren/amqp';
import { RABBIT_CONNECTION } from '../module-options.js';

/** Names of all connections. @throws ConfigError when one is configured twice */
export function connectionNames(modules: ModulesContainer): string[] {
  const names: string[] = [];
  for (const module of modules.values()) {
    const name = module.providers.get(RABBIT_CONNECTION)?.instance as string | undefined;
    if (name === undefined) continue;
    if (names.includes(name)) {
      throw new ConfigError(
        `the connection '${name}' is configured twice`,
        'call forRoot once per connection, since it is global; a second connection needs a name',
      );
    }
    names.push(name);
  }
  return names;
}
