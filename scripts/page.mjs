// The viewer's page: ts/viz/page, bundled by Vite into dist/viewer under the fixed names that ts/viz/assets.ts serves.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

export const PAGE_SOURCES = ['ts/viz/page', 'ts/viz/protocol.ts', 'scripts/page.mjs'];
export const PAGE_OUT = 'dist/viewer';

/** Builds the page. Vite is loaded here, so that whoever builds no page does not wait for it. */
export async function buildPage() {
  const { build } = await import('vite');
  await build({
    configFile: false,
    envDir: false,
    root: path.join(root, 'ts/viz/page'),
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: path.join(root, PAGE_OUT),
      emptyOutDir: true,
      target: 'es2023',
      // The page is allowed scripts and styles from files only: nothing may be put inline.
      assetsInlineLimit: 0,
      modulePreload: false,
      reportCompressedSize: false,
      rolldownOptions: {
        output: {
          entryFileNames: 'app.js',
          assetFileNames: ({ names }) => (names.some((name) => name.endsWith('.css')) ? 'app.css' : '[name][extname]'),
          codeSplitting: false,
        },
      },
    },
  });
}
