// The example of docs/dead-letters.md: a desk of one's own, here a job that replays what failed while the bank was away.
// #region desk
import { DeadLetters } from '@warren/nestjs';

export async function afterTheBankCameBack(url: string): Promise<number> {
  const desk = new DeadLetters({ url });
  for await (const letter of desk.peek('orders', { limit: 3 })) {
    console.log(letter.position, letter.id, letter.handler, letter.error);
  }
  const { done } = await desk.replay('orders', { error: 'BankAway', newerThan: '2h' });
  return done;
}
// #endregion
