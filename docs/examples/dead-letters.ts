// The example of docs/dead-letters.md: a job that replays what failed while the bank was down.
// #region replay
import { DeadLetters } from '@warren/nestjs';

export async function afterTheBankCameBack(url: string): Promise<number> {
  const deadLetters = new DeadLetters({ url });
  for await (const letter of deadLetters.peek('orders', { limit: 3 })) {
    console.log(letter.position, letter.id, letter.handler, letter.error);
  }
  const { done } = await deadLetters.replay('orders', { error: 'BankAway', newerThan: '2h' });
  return done;
}
// #endregion
