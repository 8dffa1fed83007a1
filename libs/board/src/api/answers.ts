// What all answers of the board have in common. Times are milliseconds since 1970, durations milliseconds. What is not
// known, or not there, is null: JSON has no undefined.

/** What somebody may do. `look`: see everything. `replay`: dead letters. `edit`: change and drop them, publish, call. `control`: handlers. */
export type Right = 'look' | 'replay' | 'edit' | 'control';

/** Something that this answer cannot know. It is shown as unknown, not as empty. */
export interface Unknown {
  /** What is missing, for people: 'numbers of waiting messages'. */
  readonly what: string;
  /**
   * `management`: needs RabbitMQ's management API, which is not configured or does not answer. `fleet`: instances without the option
   * `fleet`, or none at all. `board`: instances without BoardModule. `journal`: instances without the plugin `journal()`.
   * `broker`: the broker refused or cannot be reached.
   */
  readonly why: 'management' | 'fleet' | 'board' | 'journal' | 'broker';
  /** A sentence for people: what to do about it, or what the broker said. */
  readonly help: string;
}

/** In every answer of a view. */
export interface Answer {
  /** Time of the answer, by the server's clock. */
  readonly at: number;
  readonly unknown: readonly Unknown[];
}

/** Every answer with a status of 400 and above. */
export interface ErrorAnswer {
  readonly error: {
    /**
     * `BAD_REQUEST`, `NO_SESSION` (401), `FORBIDDEN` (the right is missing, the token is wrong, or the request came from another site), `NOT_FOUND`,
     * `STALE` (409: the message, group or reading is not there any more), `TOO_LARGE` (413), `CONTENT_TYPE` (415),
     * `DOES_NOT_FIT` (422: the schema), `BUSY` (429), `BROKER` (502), `FAILED` (500); or the code of an error of Warren: `WARREN_RPC_TIMEOUT`.
     */
    readonly code: string;
    /** What happened, for people. */
    readonly message: string;
    /** What to do, or ''. */
    readonly help: string;
    /** With `DOES_NOT_FIT`: what is wrong. */
    readonly issues: readonly Issue[];
  };
}

/** What a schema finds wrong. */
export interface Issue {
  /** `lines.0.sku`; '' for the payload as a whole. */
  readonly path: string;
  readonly message: string;
}

/** A broker object of a running process. */
export interface InstanceRef {
  /** Random, another one after each start. */
  readonly id: string;
  readonly service: string;
  /** Name of its connection: `default` unless it has another. */
  readonly connection: string;
  readonly host: string;
  readonly pid: number;
}

/** A body as it may be shown: at most 256 KiB of it, masked by the option `redact`. Show `text` as text, never as markup. */
export interface Body {
  /** `json`: `text` is pretty-printed; its numbers and texts are written as in the message. `text`: as it is. `hex`: the bytes are no text; two digits for each, without spaces. `empty`: none. */
  readonly kind: 'json' | 'text' | 'hex' | 'empty';
  readonly text: string;
  /** Bytes of the whole body, as it travels. */
  readonly bytes: number;
  /** Whether `text` is only the beginning. */
  readonly cut: boolean;
  /** Whether `redact` is in force, so that values may be masked. */
  readonly redacted: boolean;
}

/** A header or property with a value of any JSON type, bytes as hex, dates as ISO 8601. */
export type Fields = Readonly<Record<string, unknown>>;

/** A part of a list. */
export interface Page {
  /** Rows that match, of which this is a part. */
  readonly total: number;
  /** Index of the first row of this part, from 0. */
  readonly offset: number;
}
