/** The files of the page, read once when the server starts. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { FileError } from '../error';
import { readWholeFile } from '../io/files';

export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** What the page consists of, by the path it is asked for with; the build gives exactly these names. */
const FILES: readonly (readonly [url: string, file: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/app.js', 'app.js', 'text/javascript; charset=utf-8'],
  ['/app.css', 'app.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
];

/** @throws FileError where the page was not built */
export function loadAssets(directory: string): ReadonlyMap<string, Asset> {
  return new Map(
    FILES.map(([url, name, type]) => {
      const file = path.join(directory, name);
      if (!existsSync(file)) {
        throw new FileError(`view: ${file} must be there, got no such file; npm run build makes the page`);
      }
      return [url, { type, bytes: readWholeFile('view', file) }];
    }),
  );
}
