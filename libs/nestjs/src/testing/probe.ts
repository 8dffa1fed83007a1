// Remembers what happened on the connections of an application under test, so that a test can ask.

import type { Broker, BrokerEvent, Verdict } from '@warren/amqp';

/** A message that was dead-lettered. */
export interface DeadLetter {
  readonly payload: unknown;
  readonly reason: Extract<Verdict, { kind: 'dead-letter' }>['reason'];
  readonly error: unknown;
  readonly attempts: number;
  readonly routingKey: string;
  readonly handler: string;
}

/** A run of a handler that did not succeed. */
export interface FailedRun {
  readonly payload: unknown;
  readonly error: unknown;
  readonly attempt: number;
  /** `retry`: it was tried again. */
  readonly outcome: 'retry' | 'dead-letter';
}

/** A message the application published. */
export interface Published {
  readonly exchange: string;
  readonly routingKey: string;
  readonly payload: unknown;
  readonly outcome: string;
}

type Handled = Extract<BrokerEvent, { kind: 'handled' }>;

/** Listens to every broker object of the application. */
export class Probe {
  readonly brokers: Broker[] = [];
  private readonly runs: Handled[] = [];
  private readonly sent: Published[] = [];
  /** Messages between two attempts, by message id. */
  private readonly retrying = new Set<string>();

  watch(broker: Broker): void {
    this.brokers.push(broker);
    broker.on((event) => this.hear(event));
  }

  handled(handler: string): unknown[] {
    return this.runs
      .filter((run) => run.handler === handler && (run.verdict.kind === 'ack' || run.verdict.kind === 'open'))
      .map((run) => run.delivery.payload);
  }

  failed(handler: string): FailedRun[] {
    return this.runs.flatMap(({ handler: name, delivery, verdict }) => {
      if (name !== handler || (verdict.kind !== 'retry' && verdict.kind !== 'dead-letter')) return [];
      return [
        { payload: delivery.payload, error: verdict.error, attempt: delivery.attempt, outcome: verdict.kind },
      ];
    });
  }

  dead(queue: string): DeadLetter[] {
    return this.runs.flatMap(({ delivery, verdict, handler }) => {
      if (delivery.queue !== queue || verdict.kind !== 'dead-letter') return [];
      const { attempt: attempts, routingKey } = delivery;
      const payload = delivery.payload ?? delivery.message.content;
      return [{ payload, reason: verdict.reason, error: verdict.error, attempts, routingKey, handler }];
    });
  }

  published(): Published[] {
    return [...this.sent];
  }

  /** Pending work of this process, in words; empty when there is none. */
  busy(): string[] {
    const waiting = this.brokers.flatMap((broker) =>
      broker.status().connections.filter(({ state }) => state === 'waiting'),
    );
    const found = [...this.underWay(), ...waiting.map(({ name }) => `${name} waits to connect again`)];
    return this.retrying.size > 0 ? [...found, `${this.retrying.size} messages between two attempts`] : found;
  }

  /** The same without what waits for time. */
  underWay(): string[] {
    return this.brokers.flatMap((broker) => {
      const { connections, consumers, publishing, pendingCalls } = broker.status();
      const connecting = connections.filter(({ state }) => state === 'connecting');
      return [
        ...connecting.map(({ name }) => `${name} connects`),
        ...consumers
          .filter(({ inFlight }) => inFlight > 0)
          .map(({ queue, inFlight }) => `${inFlight} unsettled from '${queue}'`),
        ...(publishing.unconfirmed > 0 ? [`${publishing.unconfirmed} publishes unconfirmed`] : []),
        ...(publishing.waiting > 0 ? [`${publishing.waiting} publishes waiting`] : []),
        ...(pendingCalls > 0 ? [`${pendingCalls} calls unanswered`] : []),
      ];
    });
  }

  private hear(event: BrokerEvent): void {
    if (event.kind === 'published') {
      const { exchange, routingKey, payload, outcome } = event;
      this.sent.push({ exchange, routingKey, payload, outcome });
    }
    if (event.kind !== 'handled') return;
    this.runs.push(event);
    const id = event.delivery.message.properties.messageId;
    if (id === undefined) return;
    if (event.verdict.kind === 'retry') this.retrying.add(`${event.delivery.queue} ${id}`);
    else this.retrying.delete(`${event.delivery.queue} ${id}`);
  }
}
