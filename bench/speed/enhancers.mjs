// What Nest applications put in front of their handlers: a guard, an interceptor, class-transformer, ValidationPipe. The same
// ones for each contender with Nest's pipeline, and the proof that each saw every message.
import { plainToInstance, Type } from 'class-transformer';
import { IsArray, IsBoolean, IsInt, IsString, ValidateNested } from 'class-validator';

/**
 * @typedef {'guard' | 'interceptor' | 'transform' | 'validate'} Kind
 * @typedef {import('./work.mjs').Body} Payload
 */

/** How many messages each saw. @type {Record<Kind, number>} */
const seen = { guard: 0, interceptor: 0, transform: 0, validate: 0 };
let instances = 0;

/** With what reflect-metadata adds, which each contender has loaded. @type {any} */
const reflect = Reflect;

/** What bodies.mjs makes, as an application declares it. */
class Line {}
class Body {}

/** @param {{ prototype: object }} type @param {string} name @param {any[]} decorators */
const property = ({ prototype }, name, ...decorators) => reflect.decorate(decorators, prototype, name);
property(Line, 'sku', IsString());
property(Line, 'count', IsInt());
property(Line, 'price', IsInt());
property(Body, 'n', IsInt());
property(Body, 'customer', IsString());
property(Body, 'currency', IsString());
property(Body, 'express', IsBoolean());
property(Body, 'note', IsString());
property(
  Body,
  'lines',
  IsArray(),
  ValidateNested({ each: true }),
  Type(() => Line),
);

/**
 * Puts these kinds in front of a method, whose first parameter is the payload. `common` is the `@nestjs/common` of the
 * contender.
 *
 * @param {any} common
 * @param {any} type
 * @param {string} method
 * @param {readonly Kind[]} kinds
 */
export function enhance(common, type, method, kinds) {
  const { UseGuards, UseInterceptors, UsePipes } = common;
  const validation = new common.ValidationPipe({ transform: true });
  const parts = {
    guard: () => UseGuards({ canActivate: () => ++seen.guard > 0 }),
    interceptor: () => UseInterceptors({ intercept: intercepted }),
    transform: () => UsePipes({ transform: transformed }),
    validate: () => UsePipes({ transform: validated }),
  };
  /** @param {unknown} _context @param {{ handle: () => unknown }} next */
  function intercepted(_context, next) {
    seen.interceptor++;
    return next.handle();
  }
  /** @param {object} value @param {{ metatype: unknown }} about */
  function transformed(value, { metatype }) {
    if (metatype !== Body) return value;
    seen.transform++;
    return plainToInstance(Body, value);
  }
  /** @param {object} value @param {{ metatype: unknown }} about */
  function validated(value, about) {
    if (about.metatype === Body) seen.validate++;
    return validation.transform(value, about);
  }
  const { prototype } = type;
  const decorators = kinds.map((kind) => parts[kind]());
  reflect.decorate(decorators, prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
  reflect.defineMetadata('design:paramtypes', [Body, Object], prototype, method);
}

/**
 * A handler that also counts instances of the class.
 *
 * @param {readonly Kind[]} kinds
 * @param {(body: Payload) => void} handle
 * @returns {(body: Payload) => void}
 */
export function checked(kinds, handle) {
  if (!kinds.some((kind) => kind === 'transform' || kind === 'validate')) return handle;
  return (body) => {
    if (body instanceof Body && body.lines[0] instanceof Line) instances++;
    handle(body);
  };
}

/** Why these kinds did not do their work on so many messages, if so. @param {readonly Kind[]} kinds @param {number} count */
export function problemOf(kinds, count) {
  for (const kind of kinds) {
    if (seen[kind] !== count) return `${kind}: ${seen[kind]} messages, not ${count}`;
    const makes = kind === 'transform' || kind === 'validate';
    if (makes && instances !== count) return `${instances} instances of the class, not ${count}`;
  }
  return undefined;
}
