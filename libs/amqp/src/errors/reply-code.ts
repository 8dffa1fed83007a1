// The AMQP reply code in what the broker says when it closes a channel or a connection, and what to do about those that no
// other attempt would change.

/** `406 (PRECONDITION-FAILED) with message "..."`: a number counts with its name only, whatever else a text holds. */
const CODE = /\b(\d{3}) \([A-Z][A-Z_-]+\)/;

/** The reply code in a text of the client library; undefined when there is none. */
export function replyCodeIn(text: string): number | undefined {
  const found = CODE.exec(text);
  return found ? Number(found[1]) : undefined;
}

/** How the error of a declaration ends, followed by a reason, when the broker said nothing about the declaration itself. */
export const CHANNEL_LOST = ' when its channel was lost: ';

/** What to do when the broker refuses for good to do something; undefined when trying again may help. */
export function hintFor(text: string): string | undefined {
  if (/unknown exchange type/.test(text)) {
    return 'enable the plugin that has this type of exchange (rabbitmq-plugins enable), or use another type';
  }
  const feature = /Feature `?([\w-]+)`? is deprecated/.exec(text)?.[1];
  if (feature) {
    return `the broker does not permit it: declare without what it names, or permit it in rabbitmq.conf (deprecated_features.permit.${feature} = true)`;
  }
  const code = replyCodeIn(text);
  return code === 503 || code === 540 ? 'the broker lacks a plugin or feature for this' : undefined;
}
