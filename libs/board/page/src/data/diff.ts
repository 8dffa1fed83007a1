// What changed between two texts, line by line: the fewest lines taken out and put in.

export interface DiffLine {
  readonly kind: 'same' | 'out' | 'in';
  readonly text: string;
}

/** Changes that are looked for between what both texts begin and end with. With more, all of that is replaced. */
const MOST_CHANGES = 500;

export function diffLines(before: string, after: string): readonly DiffLine[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  const most = Math.min(a.length, b.length) - start;
  while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return [
    ...as('same', a.slice(0, start)),
    ...changed(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...as('same', a.slice(a.length - end)),
  ];
}

const as = (kind: DiffLine['kind'], lines: readonly string[]): DiffLine[] =>
  lines.map((text) => ({ kind, text }));

function changed(a: readonly string[], b: readonly string[]): DiffLine[] {
  const rounds = a.length > 0 && b.length > 0 ? shortest(a, b) : undefined;
  if (rounds === undefined) return [...as('out', a), ...as('in', b)];
  const lines: DiffLine[] = [];
  let [x, y] = [a.length, b.length];
  for (let changes = rounds.length - 1; changes >= 0; changes--) {
    const reached = rounds[changes];
    const puts = putsIn(reached, x - y, changes);
    const diagonal = puts ? x - y + 1 : x - y - 1;
    const from = reached.get(diagonal)!;
    while (x > from && y > from - diagonal) {
      lines.push({ kind: 'same', text: a[--x] });
      y--;
    }
    if (changes > 0) lines.push(puts ? { kind: 'in', text: b[--y] } : { kind: 'out', text: a[--x] });
  }
  return lines.reverse();
}

/** How far each diagonal has come, by its number (place in `a` less place in `b`). */
type Reached = ReadonlyMap<number, number>;

/** The shortest way from one to the other (Myers 1986): what was reached before each further change; undefined when it is too long. */
function shortest(a: readonly string[], b: readonly string[]): readonly Reached[] | undefined {
  const rounds: Reached[] = [];
  const reached = new Map([[1, 0]]);
  for (let changes = 0; changes <= MOST_CHANGES; changes++) {
    rounds.push(new Map(reached));
    for (let diagonal = -changes; diagonal <= changes; diagonal += 2) {
      let x = putsIn(reached, diagonal, changes)
        ? reached.get(diagonal + 1)!
        : reached.get(diagonal - 1)! + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      reached.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return rounds;
    }
  }
  return undefined;
}

/** Whether the way to this diagonal puts a line in, rather than taking one out. */
function putsIn(reached: Reached, diagonal: number, changes: number): boolean {
  if (diagonal === -changes) return true;
  return diagonal !== changes && reached.get(diagonal - 1)! < reached.get(diagonal + 1)!;
}
