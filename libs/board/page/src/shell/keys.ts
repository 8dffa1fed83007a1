// Keys for the whole page. `g` and a letter goes to a view, `/` to the search field, `?` shows the keys.
import { address, go } from '../data/router.js';
import { isTypedIn } from '../parts/controls.js';
import type { ViewEntry } from './views.js';

/** How long a letter may follow `g`. */
const PATIENCE = 1_500;

export function startKeys(views: readonly ViewEntry[], help: () => void): () => void {
  let goes = 0;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector('dialog[open]')) return;
    const target = event.target as HTMLElement;
    if (isTypedIn(target)) return;
    const second = event.timeStamp - goes < PATIENCE && goes > 0;
    goes = 0;
    if (second) {
      const view = views.find(({ key }) => key === event.key);
      if (view === undefined) return;
      event.preventDefault();
      go(address(view.name));
    } else if (event.key === 'g') goes = event.timeStamp;
    else if (event.key === '/') {
      const field = document.querySelector<HTMLInputElement>('.search input');
      if (field === null) return;
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === '?') help();
    else if ((event.key === 'ArrowDown' || event.key === 'j') && target === document.body) {
      const row = document.querySelector<HTMLElement>('.rows .row[tabindex="0"]');
      if (row === null) return;
      event.preventDefault();
      row.focus();
    }
  };
  addEventListener('keydown', onKeyDown);
  return () => removeEventListener('keydown', onKeyDown);
}
