// Injected faults of publishes: nacked, or accepted and never confirmed.
import type { Message } from '../../model/message.js';
import type { VirtualHost } from '../../model/virtual-host.js';

/** Which publishes go wrong, on channels with confirms; all that is given must fit. Default: the next one. */
export interface PublishMatch {
  /** How many; `Infinity` until the fault ends. Default 1. */
  readonly count?: number;
  /** Those that are published to this exchange; `''` is the default exchange. */
  readonly exchange?: string;
  /** Those that would be routed to this queue. */
  readonly queue?: string;
}

export type PublishFault = 'nack' | 'dropConfirm';

export interface PublishRule {
  readonly fault: PublishFault;
  readonly match: PublishMatch;
  left: number;
}

export class PublishFaults {
  private readonly rules = new Set<PublishRule>();

  add(fault: PublishFault, match: PublishMatch): PublishRule {
    const rule = { fault, match, left: match.count ?? 1 };
    this.rules.add(rule);
    return rule;
  }

  remove(rule: PublishRule): void {
    this.rules.delete(rule);
  }

  /** What goes wrong with a publish; it counts. */
  of(message: Message, vhost: VirtualHost): PublishFault | undefined {
    for (const rule of this.rules) {
      if (!fits(rule.match, message, vhost)) continue;
      rule.left -= 1;
      if (rule.left <= 0) this.rules.delete(rule);
      return rule.fault;
    }
    return undefined;
  }
}

function fits({ exchange, queue }: PublishMatch, message: Message, vhost: VirtualHost): boolean {
  if (exchange !== undefined && message.exchange !== exchange) return false;
  if (queue === undefined) return true;
  for (const { name } of vhost.route(message)) if (name === queue) return true;
  return false;
}
