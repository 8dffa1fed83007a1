// What docs/lifecycle.md shows of lists. Compiled with everything else.
// #region many
import type { LoggerService } from '@nestjs/common';
import type { Publisher } from '@warren/nestjs';

async function announce(
  orders: readonly { readonly id: string }[],
  publisher: Publisher,
  logger: LoggerService,
): Promise<void> {
  const outcomes = await publisher.publishMany(
    orders.map((order) => ({ target: 'order.placed', payload: order, options: { messageId: order.id } })),
  );
  outcomes.forEach(({ error }, index) => {
    if (error) logger.error(`order ${orders[index].id}: ${error.message}`);
  });
}
// #endregion

export { announce };
