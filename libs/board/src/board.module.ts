// The module that applications import: a board below a path, guarded as they say.

import {
  type CanActivate,
  Controller,
  type DynamicModule,
  type InjectionToken,
  Logger,
  Module,
  type ModuleMetadata,
  type OnModuleDestroy,
  type OptionalFactoryDependency,
  type Provider,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { type Broker, ConfigError, DEFAULT_CONNECTION, getBrokerToken } from '@warren/nestjs';
import { Board } from './board.js';
import { BoardController } from './http/board.controller.js';
import { BoardGuard } from './http/board.guard.js';
import { PageFiles } from './http/page-files.js';
import { type BoardMount, type BoardOptions, boardSettings } from './options.js';

/** Options of `BoardModule.forRoot`. */
export interface BoardModuleOptions extends BoardOptions, BoardMount {}

/** Options of `BoardModule.forRootAsync`: what a factory makes, and where it is mounted. */
export interface BoardModuleAsyncOptions extends BoardMount {
  /** Modules whose providers the factory needs. Default: none. */
  readonly imports?: ModuleMetadata['imports'] | undefined;
  /** Tokens of what the factory gets as its parameters. Default: none. */
  readonly inject?: readonly (InjectionToken | OptionalFactoryDependency)[] | undefined;
  /** Returns the options; its parameters are what `inject` names. */
  readonly useFactory: (...args: never[]) => BoardOptions | Promise<BoardOptions>;
}

/** Token of the options. */
export const OPTIONS = 'warren:board:options';

/** Ends what is open before the HTTP server waits for it. */
class Ending implements OnModuleDestroy {
  constructor(private readonly board: Board) {}

  onModuleDestroy(): void {
    this.board.close();
  }
}

/** A board for one connection. Import it beside `RabbitModule.forRoot`. */
@Module({})
export class BoardModule {
  /** With options. @throws ConfigError when it would be open to everybody in production */
  static forRoot(options: BoardModuleOptions = {}): DynamicModule {
    // Checked here too, where the stack leads to the caller.
    boardSettings(options, options);
    return board(options, { provide: OPTIONS, useValue: options });
  }

  /** The same with options from a factory. `path` and `guards` are given beside it. */
  static forRootAsync(options: BoardModuleAsyncOptions): DynamicModule {
    const { inject = [], useFactory, imports } = options;
    const provider = { provide: OPTIONS, inject: [...inject], useFactory: useFactory as () => BoardOptions };
    return board(options, provider, imports);
  }
}

/** The module for a place, with the provider of its options. */
export function board(
  mount: BoardMount,
  options: Provider<BoardOptions>,
  imports: ModuleMetadata['imports'] = [],
  standAlone = false,
): DynamicModule {
  const { connection = DEFAULT_CONNECTION } = mount;
  return {
    module: BoardModule,
    imports,
    controllers: [mounted(mount)],
    providers: [
      options,
      { provide: PageFiles, useFactory: () => new PageFiles() },
      {
        provide: Board,
        inject: [OPTIONS, { token: getBrokerToken(connection), optional: true }],
        useFactory: (given: BoardOptions, broker: Broker | undefined) => {
          if (!broker) throw noConnection(connection);
          const settings = boardSettings(given, mount);
          return new Board({ broker, settings, logger: new Logger('Board'), standAlone });
        },
      },
      BoardGuard,
      { provide: Ending, inject: [Board], useFactory: (object: Board) => new Ending(object) },
    ],
  };
}

/** The controller below a path, behind guards: those of the application first, and then its own. */
function mounted({ path = '/warren', guards = [] }: BoardMount): Type {
  class MountedBoard extends BoardController {}
  Controller({ path, version: VERSION_NEUTRAL })(MountedBoard);
  UseGuards(...(guards as CanActivate[]), BoardGuard)(MountedBoard);
  return MountedBoard;
}

function noConnection(connection: string): ConfigError {
  return new ConfigError(
    `the board has no connection '${connection}' to show`,
    'import RabbitModule.forRoot(...) in the root module, or set the option connection',
  );
}
