// The files of the page, all of them in memory: what is not in the map is not there, whatever path is asked for.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface PageFile {
  readonly type: string;
  readonly content: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  woff2: 'font/woff2',
  json: 'application/json; charset=utf-8',
};

/** Reads them once, when the application starts. */
export class PageFiles {
  private readonly index: string | undefined;
  private readonly assets = new Map<string, PageFile>();

  constructor(folder = pageFolder()) {
    const index = join(folder, 'index.html');
    if (!existsSync(index)) return;
    this.index = readFileSync(index, 'utf8');
    const inside = join(folder, 'assets');
    if (!existsSync(inside)) return;
    for (const name of readdirSync(inside)) {
      const type = TYPES[name.split('.').at(-1) ?? ''];
      if (type !== undefined) this.assets.set(name, { type, content: readFileSync(join(inside, name)) });
    }
  }

  /** The page for a URL. Its files are named relative to the folder, which a URL without a slash at its end is not. */
  page(url: string): string | undefined {
    const path = url.split('?')[0] ?? '';
    if (path.endsWith('/')) return this.index;
    const last = path.slice(path.lastIndexOf('/') + 1);
    return this.index?.replaceAll('"./assets/', `"./${encodeURIComponent(decodeURI(last))}/assets/`);
  }

  asset(name: string): PageFile | undefined {
    return this.assets.get(name);
  }
}

/** Of the sources and of both builds: this file is in libs/board/src/http or in dist/<format>/http. */
function pageFolder(): string {
  const here = dirname(thisFile());
  const built = join(here, '../../page');
  return existsSync(join(built, 'assets')) ? built : join(here, '../../dist/page');
}

/** Neither `import.meta` nor `__filename` exists in both builds; a call site knows its file in either. */
function thisFile(): string {
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  try {
    Error.prepareStackTrace = (_error, sites) => sites[0]?.getFileName();
    const name: unknown = new Error().stack;
    if (typeof name !== 'string') return '';
    return name.startsWith('file:') ? fileURLToPath(name) : name;
  } finally {
    if (before) Object.defineProperty(Error, 'prepareStackTrace', before);
    else Reflect.deleteProperty(Error, 'prepareStackTrace');
  }
}
