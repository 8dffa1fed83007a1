// What is open: beside the list where there is space, over it where there is none. Esc closes it, but not from a field.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { Button, isTypedIn } from './controls.js';

export interface PaneProps {
  readonly title: string;
  readonly sub?: ComponentChildren;
  readonly onClose: () => void;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Pane({ title, sub, onClose, actions, children }: PaneProps) {
  const element = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    // Beside the list, one goes on with the arrows there; over it, nothing of it can be seen.
    if (getComputedStyle(element.current!).position === 'fixed') element.current!.focus();
    return () => {
      // Elsewhere, somebody has gone on already: to another row.
      if (document.activeElement !== document.body) return;
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  // As soon as it is seen: a quick Esc must not be lost.
  useLayoutEffect(() => {
    const close = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector('dialog[open]')) return;
      if (isTypedIn(event.target)) return;
      event.preventDefault();
      onClose();
    };
    addEventListener('keydown', close);
    return () => removeEventListener('keydown', close);
  }, [onClose]);
  return (
    <aside class="pane" aria-label={title} tabIndex={-1} ref={element}>
      <header>
        <div class="names">
          <h2 title={title}>{title}</h2>
          {sub && <div class="sub">{sub}</div>}
        </div>
        <Button icon="close" label="Close (Esc)" kind="quiet" onClick={onClose} />
      </header>
      {actions && <div class="actions">{actions}</div>}
      <div class="content" tabIndex={0} role="region" aria-label={`Details of ${title}`}>
        {children}
      </div>
    </aside>
  );
}

export function Section({
  title,
  children,
  aside,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly aside?: ComponentChildren;
}) {
  return (
    <section class="section">
      <h3>
        <span>{title}</span>
        {aside}
      </h3>
      {children}
    </section>
  );
}
