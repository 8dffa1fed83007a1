// Dialogs: what is done in one is said in it, since nothing behind it can be seen or heard.
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Button, Form } from './controls.js';
import { Notices } from './notices.js';

export interface DialogProps {
  readonly title: string;
  /** May leave it open. */
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly wide?: boolean;
  /** With it, the dialog is a form with these buttons. */
  readonly onSubmit?: () => unknown;
  readonly buttons?: ComponentChildren;
}

/** The browser's own modal dialog: it keeps the focus. Esc closes it, and a click beside it where nothing is typed in it. */
export function Dialog({ title, onClose, children, wide, onSubmit, buttons }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = element.current!;
    dialog.showModal();
    // Gives the focus back.
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-label={title}
      onCancel={(event) => {
        if (!event.cancelable) return;
        event.preventDefault();
        onClose();
      }}
      // The browser closes it by itself after some Esc: whether it closes is for `onClose`.
      onClose={() => {
        if (element.current === null) return;
        element.current.showModal();
        onClose();
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => !onSubmit && event.target === element.current && onClose()}
    >
      <Form onSubmit={onSubmit}>
        <header>
          <h2>{title}</h2>
          <Button icon="close" label="Close" kind="quiet" onClick={onClose} />
        </header>
        <div class="content">{children}</div>
        {buttons && <footer>{buttons}</footer>}
      </Form>
      <Notices />
    </dialog>
  );
}
