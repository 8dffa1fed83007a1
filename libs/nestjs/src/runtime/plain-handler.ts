// A method with nothing around it: no guard, interceptor, pipe or filter, and no parameters but the payload and the
// context. Nest's pipeline would cost several times what the rest of a message costs, and do nothing; so it is called.

import type { Delivery, HandlerRegistration } from '@warren/amqp';
import { isObservable } from 'rxjs';
import { RabbitContext } from '../decorators/rabbit-context.js';
import type { PlannedHandler } from '../discovery/handler-plan.js';
import { PARAMETERS_KEY, RpcParamtype } from './nest-internals.js';

/** A parameter as its decorator describes it; the key of it is `<type>:<index>`. */
interface Parameter {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
  readonly factory?: unknown;
  readonly schema?: unknown;
}

/** Takes the value of one parameter. */
type Read = (delivery: Delivery) => unknown;

/** Waits for the last value of an Observable. */
type Settled = (result: unknown, context: RabbitContext) => Promise<unknown>;

/** The call of a method, with what its parameters name; undefined when they want more than that. */
export function plainHandler(
  { found: { host, method }, connection }: PlannedHandler,
  settled: Settled,
): HandlerRegistration['handle'] | undefined {
  const parameters = (Reflect.getMetadata(PARAMETERS_KEY, host.prototype.constructor, method) ?? {
    [`${RpcParamtype.PAYLOAD}:0`]: { index: 0 },
  }) as Readonly<Record<string, Parameter>>;
  const reads: Read[] = [];
  for (const [key, parameter] of Object.entries(parameters)) {
    const read = reader(Number(key.split(':')[0]), parameter, connection);
    if (!read) return undefined;
    reads[parameter.index] = read;
  }
  const instance = host.wrapper.instance as Record<string, (...args: unknown[]) => unknown>;
  const callback = instance[method];
  const call = caller(
    instance,
    callback,
    Array.from(reads, (read) => read ?? nothing),
  );
  return (input) => {
    const delivery = input as Delivery;
    const result = call(delivery);
    const last = (value: unknown): unknown =>
      isObservable(value) ? settled(value, new RabbitContext(delivery, connection)) : value;
    return isThenable(result) ? Promise.resolve(result).then(last) : last(result);
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

const nothing: Read = () => undefined;

function caller(
  instance: object,
  callback: (...args: unknown[]) => unknown,
  reads: readonly Read[],
): (delivery: Delivery) => unknown {
  // By far the most take the payload, or that and the context.
  const [first = nothing, second = nothing] = reads;
  if (reads.length === 1) return (delivery) => callback.call(instance, first(delivery));
  if (reads.length === 2) return (delivery) => callback.call(instance, first(delivery), second(delivery));
  return (delivery) =>
    callback.apply(
      instance,
      reads.map((read) => read(delivery)),
    );
}

function reader(
  type: number,
  { data, pipes, factory, schema }: Parameter,
  connection: string,
): Read | undefined {
  if ((pipes?.length ?? 0) > 0 || factory !== undefined || schema !== undefined) return undefined;
  if (type === Number(RpcParamtype.CONTEXT)) return (delivery) => new RabbitContext(delivery, connection);
  if (type !== Number(RpcParamtype.PAYLOAD)) return undefined;
  if (typeof data !== 'string' || data === '') return data ? undefined : (delivery) => delivery.payload;
  return ({ payload }) => (payload as Record<string, unknown> | null | undefined)?.[data];
}
