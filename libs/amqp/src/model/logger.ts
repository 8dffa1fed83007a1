// Where log lines go. The Nest module passes Nest's Logger; without Nest they go to the console.

/** Four methods; Nest's LoggerService fits. */
export interface BrokerLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  debug?(message: string): void;
}

/** Writes nothing: for tests and for those who read events instead. */
export const SILENT: BrokerLogger = { log() {}, warn() {}, error() {} };

/** Standard output and standard error, one line each. */
export const CONSOLE: BrokerLogger = {
  log: (message) => void process.stdout.write(`[warren] ${message}\n`),
  warn: (message) => void process.stderr.write(`[warren] WARN ${message}\n`),
  error: (message) => void process.stderr.write(`[warren] ERROR ${message}\n`),
};

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Text from the wire made safe for one log line: control characters escaped, at most 200 characters. */
export function printable(text: unknown): string {
  const escaped = String(text).replace(
    CONTROL,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return escaped.length > 200 ? `${escaped.slice(0, 199)}…` : escaped;
}

/** Name and message of whatever was thrown, also when it is no Error or throws when looked at. */
export function describeError(error: unknown): string {
  try {
    if (error instanceof Error) return `${error.name}: ${error.message}`;
    // Text even when toJSON returns nothing.
    return String(typeof error === 'object' && error !== null ? JSON.stringify(error) : error);
  } catch {
    return 'an error that cannot be printed';
  }
}
