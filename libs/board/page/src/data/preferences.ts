// What this browser remembers: theme, time zone, filters. Only choices from lists, so that nothing else can come back.
import { signal, type Signal } from '@preact/signals';

/** A signal that is one of `choices`; the first is the default. */
export function preference<T extends string>(name: string, choices: readonly T[]): Signal<T> {
  const key = `warren.${name}`;
  const kept = choices.find((choice) => choice === read(key));
  const value = signal<T>(kept ?? choices[0]);
  value.subscribe((choice) => write(key, choice));
  return value;
}

// A browser may refuse the storage.
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It is forgotten when the page is closed.
  }
}

/** `auto` follows the system. */
export const theme = preference<'auto' | 'light' | 'dark'>('theme', ['auto', 'light', 'dark']);

theme.subscribe((choice) => {
  if (choice === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
});

const system = matchMedia('(prefers-color-scheme: dark)');

/** Whether the system is dark: what is drawn by script follows it. */
export const systemIsDark = signal(system.matches);

system.addEventListener('change', () => (systemIsDark.value = system.matches));
