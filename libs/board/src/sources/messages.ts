// The view Publish, and what it sends; and a waiting message that is to run now.

import { type Broker, type BrokerDetails, type StandardSchema, systemClock } from '@warren/nestjs';
import type { Unknown } from '../api/answers.js';
import type {
  CallAnswer,
  CallRequest,
  ContractRow,
  ContractsAnswer,
  ExchangesAnswer,
  PublishAnswer,
  PublishRequest,
  RunNowAnswer,
  RunNowRequest,
} from '../api/messages.js';
import { BoardError } from '../errors.js';
import type { BoardSettings } from '../options.js';
import { shown } from './body.js';
import type { Listed, ManagedExchange } from './management.js';

/** Characters of a schema. */
const MOST_OF_SCHEMA = 16_000;

/** See ContractsAnswer. */
export function contractsView({ handlers }: BrokerDetails): ContractsAnswer {
  const contracts = handlers.flatMap(
    ({ id, kind, queue, routes, patterns, schema: given }): ContractRow[] => {
      const schema = jsonSchema(given);
      const row = { handler: id, queue, schema };
      if (kind === 'rpc')
        // Without an exchange of its own, its queue has the name of the pattern.
        return (patterns.length > 0 ? patterns : [queue])
          .slice(0, 20)
          .map((key) => ({ ...row, kind: 'rpc', exchange: '', key }));
      if (routes.length === 0) return [{ ...row, kind: 'queue', exchange: '', key: queue }];
      return routes.slice(0, 20).map((route) => ({ ...row, kind: 'event', ...route }));
    },
  );
  return { at: systemClock.wall(), unknown: [], contracts: contracts.slice(0, 1_000) };
}

/** Where the library of a schema follows the convention for JSON Schema beside that for validation (zod 4.2, for example). */
function jsonSchema(schema: StandardSchema | undefined): unknown {
  const { jsonSchema: convert } = (schema?.['~standard'] ?? {}) as { jsonSchema?: { input?: unknown } };
  if (typeof convert?.input !== 'function') return null;
  try {
    const made = (convert.input as (options: object) => unknown).call(convert, { target: 'draft-2020-12' });
    return JSON.stringify(made).length <= MOST_OF_SCHEMA ? made : null;
  } catch {
    // Not all schemas can be told as JSON Schema.
    return null;
  }
}

/** See ExchangesAnswer. */
export function exchangesView(
  { topology }: BrokerDetails,
  managed: Listed<ManagedExchange>,
  lack: (why: string) => Unknown,
): ExchangesAnswer {
  const types = new Map<string, string | null>(
    topology.exchanges.map(({ name, type }) => [name, type ?? null]),
  );
  for (const { name, type } of managed.list ?? []) if (name !== '') types.set(name, type);
  const exchanges = [...types].map(([name, type]) => ({ name, type }));
  return {
    at: systemClock.wall(),
    unknown: managed.list ? [] : [lack(managed.why)],
    exchanges: exchanges.sort((one, other) => (one.name < other.name ? -1 : 1)).slice(0, 500),
  };
}

/** Publishes a test message. */
export async function publishTest(
  broker: Broker,
  { exchange, routingKey, payload, headers }: PublishRequest,
): Promise<PublishAnswer> {
  const { messageId, routed } =
    exchange === ''
      ? await broker.send(routingKey, payload, { headers })
      : await broker.publish(routingKey, payload, { exchange, headers });
  return { messageId, routed };
}

/** How long an act waits for the broker to confirm it, in ms. */
const ACT_TIMEOUT = 3_000;

/** Forwards a message that this process holds until it is due. @throws BoardError when it does not hold it */
export async function runWaiting(
  broker: Broker,
  { queue, key }: RunNowRequest,
): Promise<RunNowAnswer & { readonly id: string }> {
  const held = broker.details().waiting.find((each) => each.key === key && each.waitQueue === queue);
  const result = held ? await broker.control.runNow(held, { timeout: ACT_TIMEOUT }) : 'not-held';
  if (!held || result === 'not-held')
    throw new BoardError('STALE', 'this process does not hold this message any more', 'look again');
  return { forwarded: result === 'forwarded', id: held.messageId?.slice(0, 200) ?? 'without an id' };
}

/** Calls, and shows the reply. */
export async function callTest(
  broker: Broker,
  { redact }: BoardSettings,
  { pattern, payload, timeout = 10_000 }: CallRequest,
): Promise<CallAnswer> {
  const began = systemClock.monotonic();
  const reply = await broker.request(pattern, payload, { timeout });
  const took = Math.round(systemClock.monotonic() - began);
  const isBytes = Buffer.isBuffer(reply);
  const content = isBytes ? reply : Buffer.from(JSON.stringify(reply) ?? '');
  const properties = { contentType: isBytes ? 'application/octet-stream' : 'application/json' };
  return { took, reply: shown({ content, headers: {}, properties }, redact).body };
}
