// The form of a test message or call, and what came of it.
import { type Signal, signal, useSignal } from '@preact/signals';
import type { CallAnswer, ContractRow, PublishAnswer } from '../../../src/api.js';
import { RequestError } from '../data/client.js';
import { duration } from '../data/format.js';
import { address } from '../data/router.js';
import { act, may } from '../data/session.js';
import { BodySection } from '../parts/body.js';
import { Button, Choice, Form, Text } from '../parts/controls.js';
import { Pane, Section } from '../parts/pane.js';
import { isSchema, sampleOf, SchemaForm } from '../parts/schema-form.js';
import { Tag } from '../parts/words.js';
import { Issues } from './dead-dialogs.js';

export interface PublishPaneProps {
  /** undefined for any exchange. */
  readonly contract: ContractRow | undefined;
  /** Of the contract: what was typed is kept under it. */
  readonly name: string;
  readonly exchanges: readonly string[];
  readonly onClose: () => void;
}

/** In ms. */
const LONGEST_CALL = 30_000;

interface Draft {
  readonly exchange: Signal<string>;
  readonly key: Signal<string>;
  readonly text: Signal<string>;
  readonly headers: Signal<string>;
}

/** Kept until the page is left: closing a pane or opening another loses nothing. */
const drafts = new Map<string, Draft>();

function draftOf(name: string, contract: ContractRow | undefined): Draft {
  const known = drafts.get(name);
  if (known !== undefined) return known;
  const draft: Draft = {
    exchange: signal(contract ? contract.exchange : 'events'),
    key: signal(contract?.key ?? ''),
    text: signal(JSON.stringify(contract?.schema ? sampleOf(contract.schema) : {}, null, 2)),
    headers: signal(''),
  };
  drafts.set(name, draft);
  return draft;
}

interface Outcome {
  readonly waiting?: boolean;
  readonly published?: PublishAnswer;
  readonly replied?: CallAnswer;
  readonly error?: RequestError;
}

export function PublishPane({ contract, name, exchanges, onClose }: PublishPaneProps) {
  const isCall = contract?.kind === 'rpc';
  const { exchange, key, text, headers } = draftOf(name, contract);
  const outcome = useSignal<Outcome | undefined>(undefined);
  const payload = parsed(text.value);
  const pattern =
    /[*#]/.test(key.value) && !isCall ? 'Replace * and # with words: a message has one key.' : undefined;
  const ready =
    payload !== undefined && pattern === undefined && (isCall || key.value !== '' || exchange.value !== '');
  const send = async (): Promise<void> => {
    if (!ready) return;
    const sent = { payload: payload.value };
    outcome.value = isCall ? { waiting: true } : undefined;
    try {
      outcome.value = isCall
        ? { replied: await act('call', { ...sent, pattern: key.value, timeout: LONGEST_CALL }) }
        : {
            published: await act('publish', {
              ...sent,
              exchange: exchange.value,
              routingKey: key.value,
              ...(headers.value.trim() && { headers: headersOf(headers.value) }),
            }),
          };
    } catch (error) {
      outcome.value = { error: error instanceof RequestError ? error : new RequestError(String(error), 0) };
    }
  };
  return (
    <Pane
      title={contract?.handler ?? 'To any exchange'}
      sub={contract && <span>{isCall ? `call ${contract.key}` : `queue ${contract.queue}`}</span>}
      onClose={onClose}
    >
      <Section title={isCall ? 'Call' : 'Message'}>
        <Form class="form" onSubmit={send}>
          {!isCall && (
            <div class="columns">
              <Text
                label="Exchange"
                mono
                value={exchange.value}
                onInput={(next) => (exchange.value = next)}
                options={exchanges}
                placeholder="(default exchange)"
              />
              <Text
                label={exchange.value === '' ? 'Queue' : 'Routing key'}
                mono
                value={key.value}
                onInput={(next) => (key.value = next)}
                error={pattern}
              />
            </div>
          )}
          <Payload contract={contract} text={text} />
          {!isCall && (
            <Text
              label="Headers (optional)"
              mono
              lines={2}
              value={headers.value}
              onInput={(next) => (headers.value = next)}
              hint={HEADERS}
              error={headers.value.split('\n').every(isHeader) ? undefined : HEADERS}
            />
          )}
          <div>
            <Button
              type="submit"
              kind="main"
              icon="publish"
              disabled={!ready || !may(isCall ? 'call' : 'publish')}
            >
              {isCall ? 'Call' : 'Publish'}
            </Button>
          </div>
        </Form>
      </Section>
      {outcome.value && <Result {...outcome.value} />}
    </Pane>
  );
}

/** The payload as a form, where there is a schema, or as JSON. */
function Payload({
  contract,
  text,
}: {
  readonly contract: ContractRow | undefined;
  readonly text: Signal<string>;
}) {
  const schema = contract?.schema;
  const asForm = isSchema(schema) && isSchema(schema.properties);
  const shown = useSignal<'form' | 'json'>(asForm ? 'form' : 'json');
  const payload = parsed(text.value);
  return (
    <>
      {asForm && (
        <Choice
          label="How to edit the payload"
          value={shown.value}
          choices={[
            ['form', 'Form'],
            ['json', 'JSON'],
          ]}
          onChange={(next) => (shown.value = next)}
        />
      )}
      {asForm && shown.value === 'form' && payload ? (
        <SchemaForm
          schema={schema}
          value={payload.value}
          onChange={(value) => (text.value = JSON.stringify(value, null, 2))}
        />
      ) : (
        <Text
          label="Payload"
          mono
          lines={14}
          value={text.value}
          onInput={(next) => (text.value = next)}
          error={payload ? undefined : 'This is not JSON yet.'}
        />
      )}
    </>
  );
}

function Result({ waiting, published, replied, error }: Outcome) {
  if (waiting)
    return (
      <Section title="Called">
        <p role="status">Waiting for the answer, at most {duration(LONGEST_CALL)}.</p>
      </Section>
    );
  if (error)
    return (
      <Section title="It failed">
        <p class="bad-text" role="alert">
          {error.message}
        </p>
        {error.help && <p>{error.help}</p>}
        <Issues issues={error.issues} />
        {error.code && <p class="faint">{error.code}</p>}
      </Section>
    );
  if (published)
    return (
      <Section title="Published">
        <p role="status">
          {published.routed ? (
            <Tag tone="good">a queue got it</Tag>
          ) : (
            <Tag tone="bad">no queue got it: nothing is bound with this key</Tag>
          )}{' '}
          <a href={address('journey', [published.messageId])}>
            Follow <code>{published.messageId}</code>
          </a>
        </p>
      </Section>
    );
  return replied ? (
    <BodySection title={`Reply after ${duration(replied.took)}`} body={replied.reply} />
  ) : null;
}

/** In an object, since a payload may be null. */
function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

const HEADERS = 'One a line, as tenant: acme';

const isHeader = (line: string): boolean => /^\s*($|[^\s:][^:]*:)/.test(line);

function headersOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()]),
  );
}
