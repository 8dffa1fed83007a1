// Errors that are thrown at one side and caught at the other as the same class.
import { describe, expect, it } from '@jest/globals';
import { errorClasses, knownErrorFacts, rebuiltError } from './known-errors.js';

class OrderNotFound extends Error {
  readonly code = 'ORDER_NOT_FOUND';
  constructor(readonly orderId: number) {
    super(`no order ${orderId}`);
  }
}
class ArchivedOrder extends OrderNotFound {
  readonly archive = { year: 1999 };
}
class Priced extends Error {
  static fromRemote({ data }: { data?: unknown }): Priced {
    return new Priced((data as { cents: number }).cents);
  }
  constructor(readonly cents: number) {
    super('priced');
  }
}

const known = errorClasses([OrderNotFound, Priced], 'test');
const cause = new Error('remote');

/** There and back, as JSON. */
function travelled(error: unknown): Error | undefined {
  const facts = knownErrorFacts(known, error);
  return facts && rebuiltError(known, JSON.parse(JSON.stringify(facts)) as typeof facts, cause);
}

describe('a registered error', () => {
  it('may be named twice; two classes of one name may not', () => {
    expect([...errorClasses([Priced, OrderNotFound, Priced], 'x').values()]).toEqual([Priced, OrderNotFound]);
    const other = { Priced: class Priced extends Error {} };
    expect(() => errorClasses([Priced, other.Priced], 'x')).toThrow(
      "x: two error classes are called 'Priced'",
    );
  });

  it('arrives as its class, with message, code and fields, without its stack', () => {
    const facts = knownErrorFacts(known, new OrderNotFound(7));
    expect(facts).toEqual({
      name: 'OrderNotFound',
      message: 'no order 7',
      code: 'ORDER_NOT_FOUND',
      data: { code: 'ORDER_NOT_FOUND', orderId: 7 },
    });
    const error = travelled(new OrderNotFound(7)) as OrderNotFound;
    expect(error).toBeInstanceOf(OrderNotFound);
    expect(error).toMatchObject({ name: 'OrderNotFound', message: 'no order 7', orderId: 7, cause });
    expect(Object.keys(error)).toEqual(['code', 'orderId']);
    expect(error.stack).toContain('known-errors');
  });

  it('arrives as the closest class that both sides know', () => {
    expect(travelled(new ArchivedOrder(7))).toMatchObject({ orderId: 7, archive: { year: 1999 } });
    expect(travelled(new ArchivedOrder(7))).toBeInstanceOf(OrderNotFound);
    expect(travelled(new Error('other'))).toBeUndefined();
    expect(travelled('text')).toBeUndefined();
  });

  it('is made by its class when the class knows how', () => {
    expect(travelled(new Priced(12))).toMatchObject({ message: 'priced', cents: 12, cause });
    expect(travelled(new Priced(12))).toBeInstanceOf(Priced);
  });

  it('keeps the cause that its class gives it, and may be frozen', () => {
    class Own extends Error {
      static fromRemote({ message }: { message: string }): Own {
        return Object.freeze(new Own(message, { cause: 'own' }));
      }
    }
    const made = rebuiltError(errorClasses([Own], 'x'), { name: 'Own', message: 'm' }, cause);
    expect(made).toMatchObject({ message: 'm', cause: 'own' });
  });

  it('leaves out what cannot travel, and what could do harm', () => {
    const error = Object.assign(new OrderNotFound(1), { big: 1n, run: () => 1, deep: {} });
    Object.assign(error.deep, { self: error.deep });
    expect(knownErrorFacts(known, error)?.data).toEqual({ code: 'ORDER_NOT_FOUND', orderId: 1 });
    const evil = JSON.parse('{"__proto__":{"admin":true},"stack":"at /home","orderId":2}') as object;
    const made = rebuiltError(known, { name: 'OrderNotFound', message: 'x', data: evil }, cause) as Error;
    expect(made).toBeInstanceOf(OrderNotFound);
    expect((made as { admin?: boolean }).admin).toBeUndefined();
    expect(made.stack).not.toContain('at /home');
  });

  it('keeps the methods and accessors of its class, and those of every object', () => {
    const data = {
      toString: 1,
      valueOf: 2,
      constructor: 3,
      toJSON: 4,
      describe: 5,
      kind: 'forged',
      orderId: 7,
    };
    class Described extends OrderNotFound {
      get kind(): string {
        return 'order';
      }
      describe(): string {
        return `${this.kind} ${this.orderId}`;
      }
      toJSON(): unknown {
        return this.describe();
      }
    }
    const made = rebuiltError(
      errorClasses([Described], 'x'),
      { name: 'Described', message: 'gone', data },
      cause,
    ) as Described;
    expect(`${String(made)} ${made.describe()} ${JSON.stringify(made)}`).toBe(
      'Described: gone order 7 "order 7"',
    );
    expect(made.constructor).toBe(Described);
  });

  it('is no success for an HTTP server, whatever its sender says', () => {
    class HttpLike extends Error {
      getStatus(): unknown {
        return (this as { status?: unknown }).status;
      }
    }
    const http = errorClasses([HttpLike], 'x');
    for (const [data, status] of [
      [{ status: 404 }, 404],
      [{ status: 200, getStatus: 5 }, 500],
      [{ status: '200' }, 500],
      [{}, 500],
    ] as const) {
      const made = rebuiltError(http, { name: 'HttpLike', message: 'x', data }, cause) as HttpLike;
      expect(made.getStatus()).toBe(status);
    }
  });

  it('is not built from a name that nobody registered', () => {
    for (const name of ['Object', '__proto__', 'constructor', 'TypeError']) {
      expect(rebuiltError(known, { name, message: '' }, cause)).toBeUndefined();
    }
  });

  it('must be an error class with a name of its own', () => {
    const Other = { OrderNotFound: class OrderNotFound extends Error {} }.OrderNotFound;
    expect(() => errorClasses([OrderNotFound, Other], 'x')).toThrow(
      "two error classes are called 'OrderNotFound'",
    );
    expect(() => errorClasses([Date as never], 'x')).toThrow('not an Error subclass');
    expect(() => errorClasses(['x' as never], 'x')).toThrow('not an Error subclass');
  });
});
