// The public API of @warren/board.

export { BoardModule, type BoardModuleAsyncOptions, type BoardModuleOptions } from './board.module.js';
export type { BoardAccess, BoardAct, BoardMount, BoardOptions, BoardRequest, Redacted } from './options.js';
export type { Right } from './api/answers.js';
export { type RunningBoard, type StandAloneOptions, startBoard } from './stand-alone.js';
