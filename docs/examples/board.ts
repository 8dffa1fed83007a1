// The board in an application.
// #region module
import { Module } from '@nestjs/common';
import { BoardModule, type BoardRequest, type Right } from '@warren/board';
import { RabbitModule } from '@warren/nestjs';

/** Whatever your guards or middleware put on the request. */
interface User {
  readonly name: string;
  readonly isOperator: boolean;
}

function access(request: BoardRequest): false | { who: string; rights: Right[] } {
  const user = request.user as User | undefined;
  if (!user) return false;
  return { who: user.name, rights: user.isOperator ? ['look', 'replay', 'edit', 'control'] : ['look'] };
}

@Module({
  imports: [RabbitModule.forRoot({ service: 'shop', fleet: true }), BoardModule.forRoot({ access })],
})
export class ShopModule {}
// #endregion
