// Checks what other processes and the management API say, which may be anything.

/** A shape: a type, a nullable one, a list, or an object with at least these fields. */
export type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  | 'string?'
  | 'number?'
  | 'unknown'
  | readonly [Shape]
  | { readonly [field: string]: Shape };

/** Whether a value has a shape. */
export function fits(value: unknown, shape: Shape): boolean {
  if (shape === 'unknown') return true;
  if (typeof shape === 'string') {
    const type = shape.replace('?', '');
    return (shape.endsWith('?') && value === null) || isOf(value, type);
  }
  if (Array.isArray(shape))
    return Array.isArray(value) && value.every((each) => fits(each, shape[0] as Shape));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(shape).every(([field, inner]) =>
    fits((value as Record<string, unknown>)[field], inner),
  );
}

function isOf(value: unknown, type: string): boolean {
  return typeof value === type && (type !== 'number' || Number.isFinite(value));
}

/** The elements of a list that have a shape, at most so many. */
export function listOf<T>(value: unknown, shape: Shape, most: number): T[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, most).filter((each) => fits(each, shape)) as T[];
}
