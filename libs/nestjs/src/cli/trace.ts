// The command trace: asks all running instances what happened to a message, and looks for it in dead-letter queues. Nothing
// that an instance or a message says is trusted: see print.ts.

import {
  Broker,
  type DeadLetter,
  DeadLetters,
  type Duration,
  journeyText,
  type MessageTrace,
  RabbitError,
  SILENT,
  type TracedInstance,
  traceMessage,
} from '@warren/amqp';
import { parseArgs } from 'node:util';
import { duration, UsageError } from './arguments.js';
import { json as jsonText, safe } from './print.js';
import { EXIT, type Terminal } from './terminal.js';

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const OPTIONS = {
  url: text,
  service: text,
  timeout: text,
  queue: { type: 'string', multiple: true },
  'no-dead-letters': flag,
  exact: flag,
  bodies: flag,
  json: flag,
} as const;

/** The parsed arguments of the command. */
export interface TraceArguments {
  readonly id: string;
  readonly url: string | undefined;
  readonly service: string | undefined;
  readonly timeout: Duration;
  /** Undefined: those of the handlers of the instances. */
  readonly queues: readonly string[] | undefined;
  /** Whether these are named as they are, and not as in `warren dead`. */
  readonly exact: boolean;
  readonly bodies: boolean;
  readonly json: boolean;
}

/** Where the answers come from. */
export interface TraceSources {
  trace(parsed: TraceArguments, signal: AbortSignal): Promise<MessageTrace>;
  /** The messages of a dead-letter queue. */
  dead(
    queue: string,
    where: Pick<TraceArguments, 'url' | 'exact'>,
    signal: AbortSignal,
  ): AsyncIterable<DeadLetter>;
}

/** Runs the command; resolves with its exit code. */
export async function runTrace(
  args: readonly string[],
  terminal: Terminal,
  sources: TraceSources = FROM_BROKER,
): Promise<number> {
  const parsed = parseTrace(args, terminal.environment);
  const { out, err, signal } = terminal;
  let trace: MessageTrace;
  try {
    trace = await sources.trace(parsed, signal);
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    throw error;
  }
  const letters = await deadLetters(parsed, trace, terminal, sources);
  if (signal.aborted) return EXIT.interrupted;
  const { messages } = trace;
  if (parsed.json) {
    for (const message of messages) out(jsonText({ kind: 'message', ...message }));
    for (const letter of letters) out(jsonText({ kind: 'dead-letter', ...facts(letter) }));
    for (const instance of trace.instances) out(jsonText({ kind: 'instance', ...instance }));
  } else {
    if (messages.length > 0) out(journeyText(parsed.id, messages));
    for (const letter of letters) out(letterText(letter));
  }
  const found = messages.length > 0 || letters.length > 0;
  if (!found) err(`Nothing is known of ${safe(parsed.id, 255)}.`);
  for (const line of summary(trace)) err(line);
  return found ? EXIT.done : EXIT.nothing;
}

/** @throws UsageError */
export function parseTrace(args: readonly string[], environment: Terminal['environment']): TraceArguments {
  const { values, positionals } = read(args);
  const [id, ...more] = positionals;
  if (id === undefined || id === '' || more.length > 0)
    throw new UsageError('trace requires one message id or correlation id');
  if (values.queue && values['no-dead-letters'])
    throw new UsageError('trace takes either --queue or --no-dead-letters');
  return {
    id,
    url: values.url ?? (environment.RABBITMQ_URL || undefined),
    service: values.service,
    timeout: values.timeout === undefined ? '2s' : duration('--timeout', values.timeout),
    queues: values['no-dead-letters'] ? [] : values.queue,
    exact: values.exact,
    bodies: values.bodies,
    json: values.json,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Those with an id that was found or asked for, or of the chain with that id. */
async function deadLetters(
  { id, url, queues, exact }: TraceArguments,
  { messages, instances }: MessageTrace,
  { err, signal }: Terminal,
  sources: TraceSources,
): Promise<DeadLetter[]> {
  const wanted = new Set<unknown>([id, ...messages.map((message) => message.id)]);
  const found: DeadLetter[] = [];
  for (const queue of new Set(queues ?? instances.flatMap(({ deadQueues }) => deadQueues))) {
    if (signal.aborted) break;
    try {
      for await (const letter of sources.dead(queue, { url, exact }, signal)) {
        const { properties, headers } = letter;
        const chain = [properties.correlationId, headers['x-correlation-id'], headers['x-causation-id']];
        if (wanted.has(letter.id) || chain.includes(id)) found.push(letter);
      }
    } catch (error) {
      // One that a person named must be there.
      if (queues || !(error instanceof RabbitError)) throw error;
      err(`Queue ${safe(queue, 255)} was not read: ${safe(error.message)}`);
    }
  }
  return found;
}

/** No body, no stack: `warren dead show` prints them. */
function facts({ id, deadQueue, position, queue, reason, ...more }: DeadLetter): object {
  const { byBroker, handler, attempts, failedAt, error, errorMessage, replayed } = more;
  const failed = { failedAt: failedAt?.toISOString(), error, errorMessage };
  return { id, deadQueue, position, queue, reason, byBroker, handler, attempts, replayed, ...failed };
}

function letterText(letter: DeadLetter): string {
  const { id, deadQueue, position, failedAt, reason, handler, attempts, error, errorMessage } = letter;
  const why = [
    reason === undefined ? '' : safe(reason, 100),
    handler === undefined ? '' : `${safe(handler, 255)}, ${attempts} attempts`,
    error === undefined ? '' : `${safe(error, 255)}: ${safe(errorMessage ?? '')}`,
  ];
  const since = failedAt === undefined ? '' : ` since ${failedAt.toISOString()}`;
  const where = `${safe(deadQueue, 255)} at position ${position}${since}`;
  return [
    `dead letter ${safe(id ?? '(no id)', 255)} lies in ${where}`,
    ...why.filter((each) => each !== ''),
  ].join(', ');
}

/** Who was asked, and what is missing. */
function summary({ instances, complete, leftOut }: MessageTrace): string[] {
  if (instances.length === 0) {
    return ['No instance answered: only applications with the option fleet do (docs/fleet.md).'];
  }
  const named = (journal: TracedInstance['journal']): string[] =>
    instances
      .filter((each) => each.journal === journal)
      .map(({ from }) => `${safe(from.service, 200)} (${safe(from.host, 255)}, pid ${from.pid})`);
  const line = (names: readonly string[], before: string, after = ''): string[] =>
    names.length === 0 ? [] : [`${before}${names.join(', ')}${after}`];
  return [
    ...line(named('answered'), 'Asked: '),
    ...line(named('unknown'), 'Without a journal: ', '; add journal() to their plugins.'),
    ...line(named('missing'), 'Did not answer in time: ', '; raise --timeout.'),
    ...line(named('unreadable'), 'Gave no answer that can be read: ', '; see their logs.'),
    ...(leftOut > 0 ? [`${leftOut} messages are left out: ask for the id of one of them.`] : []),
    ...(complete ? [] : ['Not all instances answered: there may be more.']),
  ];
}

/** How many messages of a dead-letter queue are looked at. */
const MOST_LETTERS = 10_000;

const FROM_BROKER: TraceSources = {
  async trace({ url, id, service, timeout, bodies }, signal) {
    const options = { service: 'warren-trace', consumers: false, logger: SILENT } as const;
    const broker = new Broker({ ...options, url, startupTimeout: '10s' });
    // A person waits: the first refusal is the answer.
    const refused = new Promise<never>((_, reject) => {
      broker.on(({ error }) => reject(error), ['connect-failed']);
    });
    try {
      await Promise.race([broker.open(), refused]);
      return await traceMessage(broker.fleet, id, { service, timeout, bodies, signal });
    } finally {
      await broker.close();
    }
  },
  dead(queue, { url, exact }, signal) {
    const client = new DeadLetters({ exact, ...(url !== undefined && { url }) });
    return client.peek(queue, { limit: MOST_LETTERS, signal });
  },
};
