// What happens to webhooks that were given up: run every hour, for example by @nestjs/schedule.
import { Injectable } from '@nestjs/common';
import { DeadLetters } from '@warren/nestjs';
import { EndpointDown } from './webhooks.js';

const MAX_REPLAYS = 3;

@Injectable()
export class DeadLetterRoutine {
  constructor(private readonly deadLetters: DeadLetters) {}

  /** Sends again what failed because an endpoint was down, a few times at most. The rest is for a person to look at. */
  async run(): Promise<{ replayed: number; left: number }> {
    const again: string[] = [];
    let left = 0;
    for await (const letter of this.deadLetters.peek('webhooks', { limit: 1_000 })) {
      const down = letter.error === EndpointDown.name;
      if (down && letter.replayed < MAX_REPLAYS && letter.id !== undefined) again.push(letter.id);
      else left++;
    }
    if (again.length === 0) return { replayed: 0, left };
    const { done } = await this.deadLetters.replay('webhooks', { id: again });
    return { replayed: done, left };
  }
}
