// Tells the events of one connection to the methods that asked for them, from before it opens until after
// it is closed.

import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { Broker, BrokerEvent, BrokerEventKind } from '@warren/amqp';
import { connectionNames } from '../discovery/connections.js';
import { exploreListeners, type FoundListener } from '../discovery/listener-explorer.js';

/** One per connection. Global modules are initialized first, so this comes before anybody can publish in a hook. */
export class Listeners implements OnModuleInit, OnApplicationShutdown {
  private readonly leave: (() => void)[] = [];

  constructor(
    private readonly name: string,
    private readonly broker: Broker,
    private readonly modules: ModulesContainer,
  ) {}

  onModuleInit(): void {
    for (const found of exploreListeners(this.modules, connectionNames(this.modules))) {
      if (found.connection === this.name) this.leave.push(listen(this.broker, found));
    }
  }

  /** Closes the connections when HTTP servers and other modules have stopped using them; then nothing is left to hear. */
  async onApplicationShutdown(): Promise<void> {
    await this.broker.close();
    for (const leave of this.leave.splice(0)) leave();
  }
}

function listen(broker: Broker, { id, kinds, instance, method }: FoundListener): () => void {
  const tell = (event: BrokerEvent): unknown => instance[method](event);
  // The name stands in the log line when it fails.
  Object.defineProperty(tell, 'name', { value: id });
  return broker.on(tell, kinds.includes('*') ? undefined : (kinds as readonly BrokerEventKind[]));
}
