// Parameter decorators for the parts of a message that Nest's own @Payload() and @Ctx() do not name. In
// a batch handler each gives a list. Pipes may follow, as with Nest's.

import { createParamDecorator, type ExecutionContext, type PipeTransform, type Type } from '@nestjs/common';
import type { MessageProperties } from '@warren/amqp';
import { RabbitBatchContext, type RabbitContext } from './rabbit-context.js';

type Pipe = Type<PipeTransform> | PipeTransform;

const headers = createParamDecorator((name: string | undefined, context: ExecutionContext) => {
  return each(context, (message) => (name === undefined ? message.headers : message.headers[name]));
});

const properties = createParamDecorator(
  (name: keyof MessageProperties | undefined, context: ExecutionContext) => {
    return each(context, ({ message }) =>
      name === undefined ? message.properties : message.properties[name],
    );
  },
);

const routingKey = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  return each(context, (message) => message.routingKey);
});

const message = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  return each(context, (item) => item.message);
});

/** All headers, or one by name. */
export function Headers(name?: string, ...pipes: Pipe[]): ParameterDecorator {
  return headers(name, ...pipes);
}

/** All AMQP properties (`messageId`, `correlationId`, `timestamp`, ...), or one by name. */
export function Properties(name?: keyof MessageProperties, ...pipes: Pipe[]): ParameterDecorator {
  return properties(name, ...pipes);
}

/** The key the message was published with. */
export function RoutingKey(...pipes: Pipe[]): ParameterDecorator {
  return routingKey(undefined, ...pipes);
}

/** The message as it was received: `content`, `properties`, `exchange`, ... */
export function Message(...pipes: Pipe[]): ParameterDecorator {
  return message(undefined, ...pipes);
}

function each(context: ExecutionContext, read: (message: RabbitContext) => unknown): unknown {
  const rabbit = context.switchToRpc().getContext<RabbitContext | RabbitBatchContext>();
  return rabbit instanceof RabbitBatchContext ? rabbit.items.map(read) : read(rabbit);
}
