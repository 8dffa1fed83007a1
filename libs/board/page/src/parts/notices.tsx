// What was done, or why not, in a corner. Each modal dialog has it too: what is outside of one cannot be used or heard.
import { notices, unsay } from '../data/notices.js';
import { Button } from './controls.js';
import { Icon } from './icons.js';

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, kind, text, detail }) => (
        <div key={id} class={`notice ${kind}`}>
          <Icon name={kind === 'done' ? 'check' : 'warn'} />
          <div>
            <p>{text}</p>
            {detail && <p class="faint">{detail}</p>}
          </div>
          <Button icon="close" label="Close" kind="quiet" onClick={() => unsay(id)} />
        </div>
      ))}
    </div>
  );
}
