// What changed in a text, with a few lines around it. All of it is text nodes.
import { useMemo } from 'preact/hooks';
import { counted } from '../data/format.js';
import { type DiffLine, diffLines } from '../data/diff.js';

/** Lines that are shown around a change, and in all. */
const [AROUND, MOST] = [3, 400];

export function Changes({ before, after }: { readonly before: string; readonly after: string }) {
  const lines = useMemo(() => diffLines(before, after), [before, after]);
  const [out, put] = [sum(lines, 'out'), sum(lines, 'in')];
  const shown = useMemo(() => withGaps(lines), [lines]);
  return (
    <section class="changes" aria-label="Changes">
      <h3>
        <span>Changes</span>
        {out + put > 0 && (
          <span>
            {counted(out, 'line')} out, {counted(put, 'line')} in
          </span>
        )}
      </h3>
      {out + put === 0 ? (
        <p class="faint">None yet: what you change is shown here before it is sent.</p>
      ) : (
        <pre class="code" tabIndex={0} aria-label="Changed lines">
          {shown.slice(0, MOST).map((part, index) =>
            typeof part === 'number' ? (
              <span key={index} class="gap">
                {counted(part, 'line')} as before
              </span>
            ) : (
              <Line key={index} line={part} />
            ),
          )}
          {shown.length > MOST && <span class="gap">{counted(shown.length - MOST, 'further line')}</span>}
        </pre>
      )}
    </section>
  );
}

const sum = (lines: readonly DiffLine[], wanted: DiffLine['kind']): number =>
  lines.filter(({ kind }) => kind === wanted).length;

function Line({ line: { kind, text } }: { readonly line: DiffLine }) {
  if (kind === 'out') return <del>{`- ${text}`}</del>;
  return kind === 'in' ? <ins>{`+ ${text}`}</ins> : <span>{`  ${text}`}</span>;
}

/** Changed lines and those near them; in place of the others, how many they are. */
function withGaps(lines: readonly DiffLine[]): readonly (DiffLine | number)[] {
  const near = new Set<number>();
  lines.forEach(({ kind }, index) => {
    if (kind !== 'same') for (let at = index - AROUND; at <= index + AROUND; at++) near.add(at);
  });
  const parts: (DiffLine | number)[] = [];
  lines.forEach((line, index) => {
    const last = parts.at(-1);
    if (near.has(index)) parts.push(line);
    else if (typeof last === 'number') parts[parts.length - 1] = last + 1;
    else parts.push(1);
  });
  return parts;
}
