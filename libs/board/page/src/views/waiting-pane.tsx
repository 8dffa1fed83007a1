// One waiting message: when it is due, where it goes, who holds it; and run it now, where this process holds it.
import type { WaitingMessage } from '../../../src/api.js';
import { bytes } from '../data/format.js';
import { address } from '../data/router.js';
import { may, tried } from '../data/session.js';
import { Button } from '../parts/controls.js';
import { Pane, Section } from '../parts/pane.js';
import { Ago, At, Fact, Facts, Name, Tag, Target } from '../parts/words.js';

export interface WaitingPaneProps {
  readonly message: WaitingMessage;
  /** Whether it waits no more: it is shown as it was. */
  readonly gone: boolean;
  readonly onClose: () => void;
  readonly reload: () => void;
}

export function WaitingPane({ message, gone, onClose, reload }: WaitingPaneProps) {
  const { id, kind, queue, exchange, routingKey, due, attempt, instance } = message;
  return (
    <Pane
      title={routingKey || exchange}
      sub={
        <>
          <Tag tone={kind === 'retry' ? 'warn' : 'plain'}>{kind === 'retry' ? 'retry' : 'delayed'}</Tag>
          {gone ? (
            <span>waits no more</span>
          ) : (
            <span>
              due <Ago at={due} />
            </span>
          )}
        </>
      }
      onClose={onClose}
      actions={<Actions message={message} gone={gone} reload={reload} />}
    >
      <Section title="Message">
        <Facts>
          <Fact name="Due">
            <At at={due} />
          </Fact>
          <Fact name="Next attempt" hidden={attempt === null}>
            {attempt}
          </Fact>
          <Fact name="Goes to">
            <Target exchange={exchange} routingKey={routingKey} />
          </Fact>
          <Fact name="Waits in">
            <Name>{queue}</Name>
          </Fact>
          <Fact name="Held by">
            {instance.service} on {instance.host}, process {instance.pid}
          </Fact>
          <Fact name="Id">
            <Name>{id ?? undefined}</Name>
          </Fact>
          <Fact name="Size">{bytes(message.bytes)}</Fact>
        </Facts>
      </Section>
    </Pane>
  );
}

function Actions({ message, gone, reload }: Omit<WaitingPaneProps, 'onClose'>) {
  const { id, key, queue, instance } = message;
  const run = async (): Promise<void> => {
    if (key === null) return;
    await tried('waiting.run-now', { queue, key }, ({ forwarded }) =>
      forwarded ? 'It is on its way.' : 'Its target did not take it in time: it goes on by itself.',
    );
    reload();
  };
  if (id === null && !may('waiting.run-now')) return null;
  return (
    <>
      {may('waiting.run-now') && (
        <Button
          icon="play"
          kind="main"
          disabled={key === null || gone}
          title={
            key === null
              ? `The process that holds it can run it: open the board of ${instance.service} on ${instance.host}`
              : 'Send it on now, as if it were due'
          }
          onClick={run}
        >
          Run now
        </Button>
      )}
      {id !== null && (
        <a class="button" href={address('journey', [id])}>
          Journey
        </a>
      )}
      {may('waiting.run-now') && key === null && (
        <span class="faint">Held by another process: its own board can run it.</span>
      )}
    </>
  );
}
