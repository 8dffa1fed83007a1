// The drawing of a topology: boxes and lines, of which only those in sight exist, since there may be ten thousand.
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { BindingEdge } from '../../../src/api.js';
import { count } from '../data/format.js';
import { address } from '../data/router.js';
import { curve, type Drawn, inSight, type Layout, type Part, type Placed, topOf } from './topology-layout.js';

export interface DrawingProps {
  readonly layout: Layout;
  readonly open: string | undefined;
  /** What it is scrolled in, and how high that is. */
  readonly box: HTMLElement | null;
  readonly height: number;
}

/** What is in sight is looked for anew after so many pixels. */
const STEP = 150;

export function Drawing({ layout: all, open, box, height }: DrawingProps) {
  const over = useSignal<string | undefined>(undefined);
  const top = useTop(box);
  useEffect(() => showPart(all, open, box), [open, box]);
  const focus = over.value ?? open;
  const step = Math.floor(top / STEP) * STEP;
  const seen = useMemo(() => inSight(all, step, height + STEP, focus), [all, step, height, focus]);
  const boxes = useMemo(() => {
    const lit = seen.lines.filter((line) => isLit(line, focus));
    const near = new Set([focus, ...lit.flatMap(({ from, to }) => [from.part.key, to.part.key])]);
    return seen.parts.map((placed) => (
      <Box
        key={placed.part.key}
        placed={placed}
        open={open}
        lit={near.has(placed.part.key)}
        onOver={(key) => (over.value = key)}
      />
    ));
  }, [seen, focus, open]);
  // An address may name a part that is not drawn.
  const dimmed = focus !== undefined && seen.parts.some(({ part }) => part.key === focus);
  return (
    <div
      class={dimmed ? 'drawing dimmed' : 'drawing'}
      style={{ width: `${all.width}px`, height: `${all.height}px` }}
    >
      <Lines {...all} lines={seen.lines} focus={focus} top={top} />
      <div class="stays">{boxes.filter((_, index) => seen.parts[index].stays)}</div>
      {boxes.filter((_, index) => !seen.parts[index].stays)}
    </div>
  );
}

/** How far an element is scrolled. */
function useTop(box: HTMLElement | null): number {
  const [top, setTop] = useState(0);
  useEffect(() => {
    if (box === null) return undefined;
    const follow = (): void => setTop(box.scrollTop);
    follow();
    box.addEventListener('scroll', follow, { passive: true });
    return () => box.removeEventListener('scroll', follow);
  }, [box]);
  return top;
}

/** Scrolls to a part that an address names, if it is out of sight. */
function showPart({ parts }: Layout, key: string | undefined, box: HTMLElement | null): void {
  const found = parts.find(({ part }) => part.key === key);
  if (found === undefined || box === null) return;
  const [before, behind] = [found.x, found.x + found.width];
  if (before < box.scrollLeft || behind > box.scrollLeft + box.clientWidth)
    box.scrollLeft = (before + behind - box.clientWidth) / 2;
  if (found.stays) return;
  const [above, below] = [found.y, found.y + found.height];
  if (above >= box.scrollTop && below <= box.scrollTop + box.clientHeight) return;
  box.scrollTop = (above + below - box.clientHeight) / 2;
}

interface LinesProps extends Pick<Layout, 'between' | 'width' | 'height'> {
  readonly lines: readonly Drawn[];
  readonly focus: string | undefined;
  readonly top: number;
}

/** Lines whose keys are written beside them at most. */
const MOST_KEYS = 150;

const isLit = ({ from, to }: Drawn, focus: string | undefined): boolean =>
  from.part.key === focus || to.part.key === focus;
const nameOf = ({ from, to }: Drawn): string => `${from.part.key} ${to.part.key}`;

function Lines({ lines, focus, between, width, height, top }: LinesProps) {
  const bound = lines.filter(({ bindings }) => bindings.length > 0);
  const named = bound.length <= MOST_KEYS ? bound : bound.filter((line) => isLit(line, focus));
  return (
    <>
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
        {lines.map((line) => (
          <path
            key={nameOf(line)}
            class={`${isLit(line, focus) ? 'lit' : ''} ${lineTone(line.bindings)}`}
            d={curve(line, top)}
          />
        ))}
      </svg>
      {named.map((line) => (
        <span
          key={nameOf(line)}
          class={isLit(line, focus) ? 'key lit' : 'key'}
          style={{
            left: `${line.to.x - 10}px`,
            top: `${topOf(line.to, top) + line.to.height / 2}px`,
            maxWidth: `${between - 24}px`,
          }}
        >
          {line.bindings.length > 1 ? `${line.bindings.length} keys` : line.bindings[0].key}
        </span>
      ))}
    </>
  );
}

function lineTone(bindings: readonly BindingEdge[]): string {
  if (bindings.some(({ orphan }) => orphan)) return 'orphan';
  return bindings.some(({ exists, declared }) => declared && exists === false) ? 'missing' : '';
}

interface BoxProps {
  readonly placed: Placed;
  readonly open: string | undefined;
  readonly lit: boolean;
  readonly onOver: (key: string | undefined) => void;
}

function Box({ placed: { part, x, y, width, height }, open, lit, onOver }: BoxProps) {
  const mark = markOf(part);
  const figure = part.kind === 'queue' ? part.queue.messages : null;
  return (
    <a
      class={`part ${part.kind} ${lit ? 'lit' : ''} ${part.kind === 'queue' ? part.queue.purpose : ''} ${mark ? 'marked' : ''}`}
      style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
      href={address('topology', [part.key])}
      aria-current={part.key === open ? 'true' : undefined}
      title={mark ? `${part.name}: ${mark}` : part.name}
      onMouseEnter={() => onOver(part.key)}
      onMouseLeave={() => onOver(undefined)}
      onFocus={(event) => event.currentTarget.matches(':focus-visible') && onOver(part.key)}
      onBlur={() => onOver(undefined)}
    >
      <span class="name">{part.name}</span>
      {part.kind === 'exchange' && <small>{part.exchange.type}</small>}
      {figure !== null && figure > 0 && <small>{count(figure)}</small>}
      {mark && <b aria-hidden="true">!</b>}
      <span class="unseen">
        {part.kind}
        {mark && `, ${mark}`}
      </span>
    </a>
  );
}

/** What is wrong with it, in a word or two. */
export function markOf(part: Part): string | undefined {
  if (part.kind === 'handler') return undefined;
  const { exists, drift, orphan, declaredBy } = part.kind === 'queue' ? part.queue : part.exchange;
  if (exists === false && declaredBy.length > 0) return 'missing on the broker';
  if (drift.length > 0) return 'not as declared';
  return orphan ? 'perhaps left behind' : undefined;
}
