// What an answer cannot know is said, and what would let it: an empty column is not a zero.
import type { Unknown } from '../../../src/api.js';

export function NotKnown({ unknown }: { readonly unknown: readonly Unknown[] }) {
  if (unknown.length === 0) return null;
  return (
    <details class="unknown">
      <summary>Not known: {unknown.map(({ what }) => what).join(', ')}</summary>
      <ul>
        {unknown.map(({ what, help }) => (
          <li key={what}>
            {what}: {help}
          </li>
        ))}
      </ul>
    </details>
  );
}
