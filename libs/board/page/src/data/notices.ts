// What was done, or why not: said once, in a corner, and to screen readers.
import { signal } from '@preact/signals';

export interface Notice {
  readonly id: number;
  readonly kind: 'done' | 'failed';
  readonly text: string;
  readonly detail?: string | undefined;
}

export const notices = signal<readonly Notice[]>([]);

let last = 0;

/** Says it. What was done goes away by itself; what failed stays until it is closed. */
export function say(kind: Notice['kind'], text: string, detail?: string): void {
  const id = ++last;
  notices.value = [...notices.value.slice(-3), { id, kind, text, detail }];
  if (kind === 'done') setTimeout(() => unsay(id), 8_000);
}

export function unsay(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
