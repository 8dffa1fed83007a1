// The promises as a small model, against random scripts of messages, outcomes, faults and changes of the topology: what a
// message must come to follows from what its handler does at each attempt, whatever happens meanwhile. A script that
// breaks a promise is made as short as it can be; MODEL_SEED and MODEL_RUNS repeat a run or make it longer.

import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Channel } from 'amqplib';
import { Drop, Reject, Retry, type Delivery } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { until } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { kept, warren, type Warren } from '../support/warren.js';

const ATTEMPTS = 3;
const OUTCOMES = ['ok', 'throw', 'later', 'reject', 'drop'] as const;
type Outcome = (typeof OUTCOMES)[number];

/** One message: where it goes, and what its handler does at the first, second and third attempt. */
interface Message {
  readonly kind: 'message';
  readonly to: 'quorum' | 'classic' | 'event';
  readonly outcomes: readonly Outcome[];
}
/** Something that happens between messages. */
interface Happening {
  readonly kind: 'cut' | 'crash' | 'deploy' | 'exchange deleted' | 'unbound';
}
type Step = Message | Happening;

/** What becomes of a message, told by its outcomes alone. */
function verdictOf({ outcomes }: Message): string {
  for (let attempt = 1; ; attempt++) {
    const outcome = outcomes[attempt - 1];
    if (outcome === 'ok') return 'handled';
    if (outcome === 'drop') return 'dropped';
    if (outcome === 'reject') return 'dead: rejected';
    if (attempt === ATTEMPTS) return 'dead: attempts-exhausted';
  }
}

function act(outcome: Outcome): void {
  if (outcome === 'throw') throw new Error('as the script says');
  if (outcome === 'later') throw Retry({ after: 20 });
  if (outcome === 'reject') throw Reject('as the script says');
  if (outcome === 'drop') throw Drop();
}

const message = fc.record<Message>({
  kind: fc.constant('message'),
  to: fc.constantFrom('quorum', 'classic', 'event'),
  outcomes: fc.array(fc.constantFrom(...OUTCOMES), { minLength: ATTEMPTS, maxLength: ATTEMPTS }),
});
const happening = fc.record<Happening>({
  kind: fc.constantFrom('cut', 'cut', 'crash', 'deploy', 'exchange deleted', 'unbound'),
});
const script = fc.array(fc.oneof({ weight: 5, arbitrary: message }, { weight: 1, arbitrary: happening }), {
  minLength: 1,
  maxLength: 40,
});

/** What was seen of the messages of one script. */
class Run {
  readonly seen: Set<string>[] = [];
  readonly confirmed: number[] = [];
  readonly names: Readonly<Record<Message['to'], string>>;
  readonly exchange: string;
  /** Since an exchange or binding was taken away an event may find no queue, and is told so. */
  taken = false;
  service!: Warren;

  tap!: Tap;
  private readonly gone: Promise<void>[] = [];

  constructor(
    private readonly url: string,
    id: number,
  ) {
    const name = (kind: string) => `model.${id}.${kind}`;
    this.names = { quorum: name('quorum'), classic: name('classic'), event: name('event') };
    this.exchange = name('events');
  }

  /** A new instance, after the old one has ended. */
  async deploy(): Promise<void> {
    await this.service?.broker.close();
    await this.begin();
  }

  /** A new instance; the old one has lost its connections for good, and what it was doing is never settled. */
  async crash(): Promise<void> {
    this.tap.cut();
    this.gone.push(this.service.broker.close());
    await this.begin();
  }

  async end(): Promise<void> {
    await this.service?.broker.close();
    this.tap?.cut();
    await Promise.all(this.gone);
  }

  private async begin(): Promise<void> {
    this.tap = await Tap.open(this.url);
    const { quorum, classic, event } = this.names;
    const handle = (delivery: Delivery) => this.handle(delivery);
    const retry = { attempts: ATTEMPTS, delays: 20, jitter: false };
    const options = { exchange: this.exchange, retry, watchdog: '1s', prefetch: 5 } as const;
    this.service = kept(
      warren(this.tap.url, options)
        .consume(quorum, handle, { queueType: 'quorum' })
        .consume(classic, handle, { queueType: 'classic' })
        .subscribe('model.#', handle, { queue: event, queueType: 'quorum' }),
    );
    await this.service.open();
  }

  private handle({ payload, attempt }: Delivery): void {
    const { n, outcomes } = payload as { n: number; outcomes: Outcome[] };
    const outcome = outcomes[attempt - 1] ?? 'throw';
    if (attempt > ATTEMPTS) this.saw(n, `attempt ${attempt}`);
    act(outcome);
    this.saw(n, 'handled');
  }

  saw(n: number, what: string): void {
    (this.seen[n] ??= new Set()).add(what);
  }

  async send(n: number, { to, outcomes }: Message): Promise<void> {
    const payload = { n, outcomes };
    const options = { retryUnknown: true, timeout: '20s' } as const;
    const { broker } = this.service;
    try {
      const { routed } =
        to === 'event'
          ? await broker.publish(`model.${n}`, payload, options)
          : await broker.send(this.names[to], payload, options);
      if (routed) this.confirmed.push(n);
      else if (!this.taken) this.saw(n, 'not routed, although nothing was taken away');
    } catch (error) {
      if (!this.taken || to !== 'event') this.saw(n, `not published: ${String(error)}`);
    }
  }

  /** The dead letters so far, with their reasons; they stay where they are noted. */
  async bury(channel: Channel): Promise<void> {
    for (const queue of Object.values(this.names)) {
      for (;;) {
        const found = await channel.get(`${queue}.dead`, { noAck: true });
        if (!found) break;
        const { n } = JSON.parse(found.content.toString()) as { n: number };
        this.saw(n, `dead: ${String(found.properties.headers?.['x-warren-reason'])}`);
      }
    }
  }
}

async function play(run: Run, broker: TestBroker, steps: readonly Step[]): Promise<void> {
  const control = await (await broker.connect()).createChannel();
  const sending: Promise<void>[] = [];
  for (const [n, step] of steps.entries()) {
    if (step.kind === 'message') sending.push(run.send(n, step));
    else if (step.kind === 'deploy') {
      await Promise.all(sending);
      await run.deploy();
    } else if (step.kind === 'crash') {
      await Promise.all(sending);
      await run.crash();
    } else if (step.kind === 'cut') run.tap.reset();
    else {
      run.taken = true;
      if (step.kind === 'exchange deleted') await control.deleteExchange(run.exchange);
      else await control.unbindQueue(run.names.event, run.exchange, 'model.#').catch(() => undefined);
    }
  }
  await Promise.all(sending);
  const settled = () =>
    run.confirmed.every((n) => {
      const wanted = verdictOf(steps[n] as Message);
      return wanted === 'dropped' || run.seen[n]?.has(wanted);
    });
  await until(
    async () => {
      await run.bury(control);
      return settled();
    },
    'every message to come to what its script says',
    8_000,
  ).catch(() => undefined);
  const wrong = run.confirmed.flatMap((n) => {
    const wanted = verdictOf(steps[n] as Message);
    const got = [...(run.seen[n] ?? [])];
    const right = wanted === 'dropped' ? got.length === 0 : got.length === 1 && got[0] === wanted;
    return right ? [] : [`message ${n}: ${wanted} was due, ${got.join(' and ') || 'nothing'} was seen`];
  });
  for (const [n, got] of run.seen.entries())
    if (got && !run.confirmed.includes(n)) wrong.push(`message ${n}: ${[...got].join(' and ')}`);
  expect(wrong).toEqual([]);
  // Whatever was taken away is there again.
  const last = steps.length;
  const probe = async () => {
    await run.send(last, { kind: 'message', to: 'event', outcomes: ['ok'] });
    return run.confirmed.includes(last);
  };
  await until(probe, 'events to be routed again');
  await until(() => run.seen[last]?.has('handled'), 'events to arrive again');
}

onEachBroker('the model of the promises', (broker) => {
  it('holds for any script', async () => {
    let id = 0;
    const rabbitmq = broker.kind === 'rabbitmq';
    await fc.assert(
      fc.asyncProperty(script, async (steps) => {
        const run = new Run(broker.url, ++id);
        try {
          await run.deploy();
          await play(run, broker, steps);
        } finally {
          await run.end();
        }
      }),
      {
        numRuns: Number(process.env.MODEL_RUNS ?? (rabbitmq ? 8 : 25)),
        seed: process.env.MODEL_SEED ? Number(process.env.MODEL_SEED) : undefined,
        interruptAfterTimeLimit: 60_000,
      },
    );
  }, 150_000);
});
