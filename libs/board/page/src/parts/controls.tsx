// Buttons, fields and dialogs.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
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
  /** Disabled while its promise is pending. */
  readonly onClick?: () => unknown;
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
  const [busy, setBusy] = useState(false);
  const there = useRef(true);
  useEffect(() => () => void (there.current = false), []);
  const click = async (): Promise<void> => {
    const result = onClick?.();
    if (!(result instanceof Promise)) return;
    setBusy(true);
    await result.catch(() => undefined);
    if (there.current) setBusy(false);
  };
  return (
    <button
      type={type}
      class={`button ${kind}${children === undefined ? ' bare' : ''}`}
      disabled={disabled || busy}
      aria-pressed={pressed}
      aria-label={label}
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

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly wide?: boolean;
  /** With it, the dialog is a form with these buttons. */
  readonly onSubmit?: () => unknown;
  readonly buttons?: ComponentChildren;
}

/** The browser's own modal dialog: it keeps the focus, and Esc closes it. */
export function Dialog({ title, onClose, children, wide, onSubmit, buttons }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    element.current!.showModal();
    return () => before instanceof HTMLElement && before.isConnected && before.focus();
  }, []);
  const submit = (event: Event): void => {
    event.preventDefault();
    onSubmit?.();
  };
  return (
    <dialog
      ref={element}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
      onMouseDown={(event) => event.target === element.current && onClose()}
    >
      <form onSubmit={submit}>
        <header>
          <h2>{title}</h2>
          <Button icon="close" label="Close" kind="quiet" onClick={onClose} />
        </header>
        <div class="content">{children}</div>
        {buttons && <footer>{buttons}</footer>}
      </form>
    </dialog>
  );
}
