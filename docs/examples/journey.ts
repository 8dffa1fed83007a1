// What docs/journey.md shows. Compiled with everything else.
// #region journal
import { journal, RabbitModule } from '@warren/nestjs';

export const messages = journal({ messages: 1000 });

export const rabbit = RabbitModule.forRoot({ plugins: [messages] });

export function whatHappenedTo(id: string): string {
  return messages.print(id);
}
// #endregion

// #region tap
import { tap } from '@warren/nestjs';

export async function firstOrder(url: string): Promise<string | undefined> {
  for await (const { content } of tap({ url, keys: ['order.#'] })) return content.toString();
  return undefined;
}
// #endregion

// #region trace
import { type Broker, journeyText, traceMessage } from '@warren/nestjs';

export async function inAllServices(broker: Broker, id: string): Promise<string> {
  const { messages } = await traceMessage(broker.fleet, id, { timeout: '1s' });
  return journeyText(id, messages);
}
// #endregion
