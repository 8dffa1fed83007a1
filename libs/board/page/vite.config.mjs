// How the page is built: static files with relative addresses, nothing inline, so that it works below any path and under
// a strict content security policy.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig({
  root: here,
  base: './',
  logLevel: 'warn',
  // `npx vite libs/board/page` while `node libs/board/page/fake/server.mjs` runs.
  server: { proxy: { '/api': 'http://127.0.0.1:4173' } },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
});
