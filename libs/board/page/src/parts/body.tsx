// A body as text: highlighted when it is JSON, as a table of bytes when it is none. All of it is text nodes.
import { useMemo } from 'preact/hooks';
import type { Body, Fields } from '../../../src/api.js';
import { bytes, count } from '../data/format.js';
import { say } from '../data/notices.js';
import { Button } from './controls.js';
import { Section } from './pane.js';
import { Tag } from './words.js';

/** Characters that are highlighted; a longer text is shown plain. */
const MOST_COLOURED = 40_000;

export function BodyView({ body }: { readonly body: Body }) {
  if (body.kind === 'empty') return <p class="faint">No body.</p>;
  const text = body.kind === 'hex' ? dump(body.text) : body.text;
  return (
    <pre class="code" tabIndex={0} aria-label="Body">
      {body.kind === 'json' && text.length <= MOST_COLOURED ? <Json text={text} /> : text}
    </pre>
  );
}

export function BodySection({ body, title = 'Body' }: { readonly body: Body; readonly title?: string }) {
  return (
    <Section
      title={`${title}, ${bytes(body.bytes)}`}
      aside={
        <span class="asides">
          {body.redacted && <Tag title="The application hides parts of bodies">masked</Tag>}
          {body.cut && (
            <Tag tone="warn">
              first {bytes(body.kind === 'hex' ? body.text.length / 2 : body.text.length)}
            </Tag>
          )}
          {body.kind !== 'empty' && <Copy text={body.text} what="Body" />}
        </span>
      }
    >
      <BodyView body={body} />
    </Section>
  );
}

export function Copy({ text, what }: { readonly text: string; readonly what: string }) {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      say('done', `${what} copied.`);
    } catch {
      say(
        'failed',
        'The browser does not let this page copy.',
        'Browsers allow it on https and localhost only.',
      );
    }
  };
  return <Button icon="copy" kind="quiet" label={`Copy ${what.toLowerCase()}`} onClick={copy} />;
}

function Json({ text }: { readonly text: string }) {
  return useMemo(() => <>{tokens(text)}</>, [text]);
}

const token = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

function tokens(text: string) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(token)) {
    const [all, quoted, colon, word] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + all.length;
    if (quoted !== undefined && colon !== undefined) parts.push(<i class="field-name">{quoted}</i>, colon);
    else
      parts.push(
        <i class={quoted !== undefined ? 'string' : word !== undefined ? 'word' : 'number'}>{all}</i>,
      );
  }
  return [...parts, text.slice(end)];
}

/** Sixteen bytes a line, with their place and what they are as text. */
function dump(hex: string): string {
  const lines = hex.match(/.{1,32}/g) ?? [];
  return lines
    .map((line, index) => {
      const pairs = line.match(/../g) ?? [];
      const text = pairs.map((pair) => printable(Number.parseInt(pair, 16))).join('');
      return `${(index * 16).toString(16).padStart(6, '0')}  ${pairs.join(' ').padEnd(47)}  ${text}`;
    })
    .join('\n');
}

const printable = (code: number): string => (code >= 32 && code < 127 ? String.fromCharCode(code) : '.');

/** Headers or properties, values as text. */
export function FieldsSection({ title, fields }: { readonly title: string; readonly fields: Fields }) {
  const all = Object.entries(fields);
  return (
    <Section title={`${title} (${count(all.length)})`}>
      {all.length === 0 ? (
        <p class="faint">None.</p>
      ) : (
        <dl class="fields">
          {all.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </Section>
  );
}
