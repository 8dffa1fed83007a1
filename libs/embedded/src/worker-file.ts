// Finds worker.js beside this file. The same source is built as ESM and as CommonJS, and neither `import.meta` nor
// `__filename` exists in both; a call site knows its file in either. Run from TypeScript sources (jest), the built
// worker of the package is taken, because a worker thread has no transformer.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the worker's entry. Throws when the package was not built. */
export function workerFile(): string {
  const here = thisFile();
  const beside = join(dirname(here), 'worker.js');
  if (existsSync(beside)) return beside;
  const built = join(dirname(here), '..', 'dist', 'esm', 'worker.js');
  if (existsSync(built)) return built;
  throw new Error(
    'the broker cannot run in a worker from sources: build @warren/embedded first, or use worker: false',
  );
}

function thisFile(): string {
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  try {
    Error.prepareStackTrace = (_error, sites) => sites[0]?.getFileName();
    const name: unknown = new Error().stack;
    if (typeof name !== 'string') throw new TypeError('the broker does not find its own files');
    return name.startsWith('file:') ? fileURLToPath(name) : name;
  } finally {
    if (before) Object.defineProperty(Error, 'prepareStackTrace', before);
    else Reflect.deleteProperty(Error, 'prepareStackTrace');
  }
}
