// The types of lists of messages, and of what became of them. publish-many.ts publishes them.

import type { PayloadOf, PublishArguments } from '../message/contract.js';
import type { PublishOptions, PublishReceipt } from './publish-options.js';

/** One message of `publishMany` or `sendMany`: what a single `publish` or `send` is called with. */
export type ListedMessage<Target = string> = {
  /** A routing key or event contract; for `sendMany` the name or contract of a queue. */
  readonly target: Target;
  readonly payload: PayloadOf<Target>;
} & (undefined extends PublishArguments<Target, PublishOptions>[0]
  ? {
      /** Options of this message, before those of the list. Default: none. */
      readonly options?: PublishArguments<Target, PublishOptions>[0];
    }
  : { readonly options: PublishArguments<Target, PublishOptions>[0] });

/** What became of one message of a list: the receipt, or the error that a single publish would reject with. */
export type MessageOutcome =
  | { readonly receipt: PublishReceipt; readonly error?: undefined }
  | { readonly error: Error; readonly receipt?: undefined };

/** The messages of a list, for targets of these types. */
export type MessageList<Targets extends readonly unknown[]> = {
  readonly [Index in keyof Targets]: ListedMessage<Targets[Index]>;
};
