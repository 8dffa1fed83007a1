// Buttons, fields and forms.
import { type ComponentChildren, createContext } from 'preact';
import { useContext, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons.js';

export interface ButtonProps {
  readonly children?: ComponentChildren;
  readonly icon?: IconName;
  /** The name of a button without text. */
  readonly label?: string;
  readonly kind?: 'plain' | 'main' | 'danger' | 'quiet';
  readonly disabled?: boolean;
  readonly pressed?: boolean;
  readonly title?: string;
  readonly type?: 'button' | 'submit';
  /** Does nothing while the promise of an earlier click is pending. */
  readonly onClick?: () => unknown;
}

/** Runs `what`, unless its promise of before is pending: then it is `busy`. */
function useOnce(what: (() => unknown) | undefined): readonly [busy: boolean, run: () => Promise<void>] {
  const [busy, setBusy] = useState(false);
  const running = useRef(false);
  const run = async (): Promise<void> => {
    if (running.current) return;
    const result = what?.();
    if (!(result instanceof Promise)) return;
    running.current = true;
    setBusy(true);
    await result.catch(() => undefined);
    running.current = false;
    setBusy(false);
  };
  return [busy, run];
}

/** Whether the form around a button is being sent. */
const Sending = createContext(false);

export interface FormProps {
  readonly class?: string;
  /** Does nothing while its promise of before is pending: submit buttons are busy meanwhile. */
  readonly onSubmit: (() => unknown) | undefined;
  readonly children: ComponentChildren;
}

export function Form({ class: name, onSubmit, children }: FormProps) {
  const [busy, run] = useOnce(onSubmit);
  const submit = (event: Event): void => {
    event.preventDefault();
    void run();
  };
  return (
    <Sending.Provider value={busy}>
      <form class={name} onSubmit={submit}>
        {children}
      </form>
    </Sending.Provider>
  );
}

export function Button({
  children,
  icon,
  label,
  kind = 'plain',
  disabled,
  pressed,
  title,
  type = 'button',
  onClick,
}: ButtonProps) {
  const [clicked, click] = useOnce(onClick);
  const sending = useContext(Sending) && type === 'submit';
  const busy = clicked || sending;
  return (
    <button
      type={type}
      class={`button ${kind}${children === undefined ? ' bare' : ''}`}
      disabled={disabled}
      aria-pressed={pressed}
      aria-label={label}
      // Not disabled: that would take the focus away from it.
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      title={title ?? label}
      onClick={() => void click()}
    >
      {icon && <Icon name={icon} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}

/** The field that `/` goes to. */
export function Search({
  value,
  onInput,
  label,
}: {
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly label: string;
}) {
  return (
    <label class="search">
      <Icon name="search" />
      <input
        type="search"
        placeholder={label}
        aria-label={label}
        value={value}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          if (value === '') event.currentTarget.blur();
          else onInput('');
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

export interface FieldProps {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
  readonly children: (id: string, described: string | undefined) => ComponentChildren;
}

let fields = 0;

/** A labelled field with what is to be known of it, or what is wrong with it. */
export function Field({ label, hint, error, children }: FieldProps) {
  const [id] = useState(() => `field-${++fields}`);
  const described = error || hint ? `${id}-hint` : undefined;
  return (
    <div class={error ? 'field wrong' : 'field'}>
      <label for={id}>{label}</label>
      {children(id, described)}
      {described && (
        <p id={described} class="hint">
          {error ?? hint}
        </p>
      )}
    </div>
  );
}

/** Whether keys belong to this element, since one types there. */
export const isTypedIn = (target: EventTarget | null): boolean =>
  target instanceof Element && target.matches('input:not([type=checkbox]), textarea, select');

export interface TextProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
  readonly options?: readonly string[] | undefined;
  readonly lines?: number;
  readonly mono?: boolean;
  readonly type?: 'text' | 'number' | 'search';
  readonly placeholder?: string;
  readonly required?: boolean;
}

export function Text({
  label,
  value,
  onInput,
  hint,
  error,
  options,
  lines,
  mono,
  type = 'text',
  placeholder,
  required,
}: TextProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(id, described) => {
        const shared = {
          id,
          value,
          required,
          placeholder,
          class: mono ? 'mono' : undefined,
          spellcheck: false,
          autocomplete: 'off' as const,
          'aria-describedby': described,
          'aria-invalid': error ? true : undefined,
          // The browser sends no form with a wrong field, and says why.
          ref: (field: HTMLInputElement | HTMLTextAreaElement | null) =>
            field?.setCustomValidity(error ?? ''),
        };
        if (lines !== undefined)
          return (
            <textarea {...shared} rows={lines} onInput={(event) => onInput(event.currentTarget.value)} />
          );
        return (
          <>
            <input
              {...shared}
              type={type}
              step={type === 'number' ? 'any' : undefined}
              list={options && `${id}-list`}
              onInput={(event) => onInput(event.currentTarget.value)}
            />
            {options && (
              <datalist id={`${id}-list`}>
                {options.map((option) => (
                  <option key={option} value={option} />
                ))}
              </datalist>
            )}
          </>
        );
      }}
    </Field>
  );
}

export interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly (readonly [T, string])[];
  readonly onChange: (value: T) => void;
}

/** A few choices of which one is taken, side by side. */
export function Choice<T extends string>({ label, value, choices, onChange }: ChoiceProps<T>) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {choices.map(([each, text]) => (
        <button key={each} type="button" aria-pressed={each === value} onClick={() => onChange(each)}>
          {text}
        </button>
      ))}
    </div>
  );
}

export function Select<T extends string>({ label, value, choices, onChange }: ChoiceProps<T>) {
  return (
    <select
      class="select"
      aria-label={label}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value as T)}
    >
      {choices.map(([each, text]) => (
        <option key={each} value={each}>
          {text}
        </option>
      ))}
    </select>
  );
}
