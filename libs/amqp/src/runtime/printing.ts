// What objects that hold passwords look like when somebody prints them: console.log, an assertion that fails, a structured
// logger that walks through everything it is given.

const CUSTOM = Symbol.for('nodejs.util.inspect.custom');

type Inspect = (value: unknown, options?: object) => string;

/** Objects of a class print as their name with these facts, in `util.inspect` and as JSON, and nothing behind them. */
export function printsAs<T extends object>(
  type: { readonly name: string; readonly prototype: T },
  facts: (of: T) => object,
): void {
  const inspected = function (this: T, _depth: number, options: object, inspect: Inspect): string {
    return `${type.name} ${inspect(facts(this), options)}`;
  };
  const asJson = function (this: T): object {
    return facts(this);
  };
  Object.defineProperty(type.prototype, CUSTOM, { value: inspected });
  Object.defineProperty(type.prototype, 'toJSON', { value: asJson });
}

/** The object with some properties that are there when asked for by name, and in no print, spread or JSON of it. */
export function hiding<T extends object>(object: T, names: readonly (keyof T)[]): T {
  for (const name of names) Object.defineProperty(object, name, { enumerable: false });
  return object;
}
