import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

const schema = z.object({ name: z.string(), version: z.string(), engines: z.object({ node: z.string() }) });

/** The nearest package.json above this file: the package's root, whether this runs from dist/ or from dist-test/. */
export function packageRoot(): string {
  for (let dir = __dirname; ; dir = path.dirname(dir)) {
    try {
      readFileSync(path.join(dir, 'package.json'));
      return dir;
    } catch (error) {
      if (dir === path.dirname(dir)) throw error;
    }
  }
}

export function packageInfo(): { root: string; name: string; version: string; nodeRange: string } {
  const root = packageRoot();
  const { name, version, engines } = schema.parse(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')));
  return { root, name, version, nodeRange: engines.node };
}
