// A form for a value that a JSON Schema describes. What it cannot show as a field is a piece of JSON to edit.
import { useState } from 'preact/hooks';
import { Field, Text } from './controls.js';

/** The parts of JSON Schema that make fields. Read from what a server sent: nothing in it is taken for granted. */
export interface Schema {
  readonly type?: unknown;
  readonly properties?: unknown;
  readonly required?: unknown;
  readonly enum?: unknown;
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: unknown;
  readonly minimum?: unknown;
  readonly format?: unknown;
  readonly items?: unknown;
  readonly anyOf?: unknown;
  readonly oneOf?: unknown;
}

/** How deep objects are shown as fields. */
const DEEPEST = 4;

export const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function typeOf({ type }: Schema): string | undefined {
  const named = Array.isArray(type) ? (type as unknown[]).find((each) => each !== 'null') : type;
  return typeof named === 'string' ? named : undefined;
}

const propertiesOf = ({ properties }: Schema): [string, Schema][] =>
  isSchema(properties)
    ? Object.entries(properties).filter((entry): entry is [string, Schema] => isSchema(entry[1]))
    : [];

/** A value that fits as far as can be told: to begin with. */
export function sampleOf(schema: unknown, depth = 0): unknown {
  if (!isSchema(schema) || depth > DEEPEST) return null;
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0] as unknown;
  const [choice] = [schema.anyOf, schema.oneOf].filter(Array.isArray) as unknown[][];
  if (choice) return sampleOf(choice[0], depth + 1);
  switch (typeOf(schema)) {
    case 'object':
      return Object.fromEntries(
        propertiesOf(schema).map(([name, each]) => [name, sampleOf(each, depth + 1)]),
      );
    case 'array':
      return schema.items === undefined ? [] : [sampleOf(schema.items, depth + 1)];
    case 'string':
      return schema.format === 'date-time'
        ? new Date().toISOString()
        : schema.format === 'uuid'
          ? (crypto.randomUUID?.() ?? '')
          : '';
    case 'number':
    case 'integer':
      return typeof schema.minimum === 'number' ? Math.max(0, schema.minimum) : 0;
    case 'boolean':
      return false;
    default:
      return null;
  }
}

export interface SchemaFormProps {
  readonly schema: Schema;
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
}

export function SchemaForm({ schema, value, onChange }: SchemaFormProps) {
  return (
    <div class="form">
      <Fields schema={schema} value={value} onChange={onChange} depth={0} />
    </div>
  );
}

function Fields({ schema, value, onChange, depth }: SchemaFormProps & { readonly depth: number }) {
  const required = Array.isArray(schema.required) ? (schema.required as unknown[]) : [];
  const now = isSchema(value) ? (value as Readonly<Record<string, unknown>>) : {};
  return (
    <>
      {propertiesOf(schema).map(([name, each]) => (
        <Value
          key={name}
          name={required.includes(name) ? name : `${name} (optional)`}
          schema={each}
          value={now[name]}
          depth={depth}
          onChange={(next) => onChange({ ...now, [name]: next })}
        />
      ))}
    </>
  );
}

interface ValueProps extends SchemaFormProps {
  readonly name: string;
  readonly depth: number;
}

function Value({ name, schema, value, onChange, depth }: ValueProps) {
  const hint = typeof schema.description === 'string' ? schema.description : undefined;
  if (Array.isArray(schema.enum))
    return <OneOf name={name} all={schema.enum as unknown[]} value={value} onChange={onChange} />;
  switch (typeOf(schema)) {
    case 'string':
      return (
        <Text label={name} hint={hint} value={typeof value === 'string' ? value : ''} onInput={onChange} />
      );
    case 'number':
    case 'integer':
      return <NumberField name={name} hint={hint} value={value} onChange={onChange} />;
    case 'boolean':
      return (
        <label class="check">
          <input type="checkbox" checked={value === true} onChange={() => onChange(value !== true)} />
          <span>{name}</span>
        </label>
      );
    case 'object':
      if (depth < DEEPEST && propertiesOf(schema).length > 0)
        return (
          <fieldset>
            <legend>{name}</legend>
            <Fields schema={schema} value={value} onChange={onChange} depth={depth + 1} />
          </fieldset>
        );
      break;
    default:
  }
  return <JsonField name={name} value={value} onChange={onChange} />;
}

function OneOf({
  name,
  all,
  value,
  onChange,
}: {
  readonly name: string;
  readonly all: readonly unknown[];
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
}) {
  return (
    <Field label={name}>
      {(id) => (
        <select
          id={id}
          value={String(all.indexOf(value))}
          onChange={(event) => onChange(all[Number(event.currentTarget.value)])}
        >
          {all.map((each, index) => (
            <option key={index} value={index}>
              {String(each)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function NumberField({
  name,
  hint,
  value,
  onChange,
}: {
  readonly name: string;
  readonly hint: string | undefined;
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
}) {
  const [text, setText] = useState(numberText(value));
  const shown = Number(text) === value ? text : numberText(value);
  const input = (next: string): void => {
    setText(next);
    onChange(next === '' ? undefined : Number(next));
  };
  return <Text label={name} hint={hint} type="number" value={shown} onInput={input} />;
}

const numberText = (value: unknown): string => (typeof value === 'number' ? String(value) : '');

/** Its text stays as it is typed; the value follows when it is JSON. */
function JsonField({
  name,
  value,
  onChange,
}: {
  readonly name: string;
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
}) {
  const [text, setText] = useState(() => JSON.stringify(value, null, 2) ?? '');
  const [error, setError] = useState<string | undefined>(undefined);
  const input = (next: string): void => {
    setText(next);
    try {
      onChange(next.trim() === '' ? undefined : (JSON.parse(next) as unknown));
      setError(undefined);
    } catch {
      setError('This is not JSON yet.');
    }
  };
  return (
    <Text
      label={name}
      mono
      lines={Math.min(14, Math.max(3, text.split('\n').length + 1))}
      value={text}
      onInput={input}
      error={error}
      hint="JSON"
    />
  );
}
