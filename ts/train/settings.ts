/** Every setting of a run with its default, as `hrm train --help` lists them. */
import { z } from 'zod';
import { show } from '../hrm/config_error';
import { settingGroups } from './config';

const WIDTH = 100;

/** `key=value`; the key alone where there is no default, or a nested one. */
function settingText(key: string, schema: z.ZodType): string {
  if (schema instanceof z.ZodLiteral) return `${key}=${String(schema.value)}`;
  const { success, data } = schema.safeParse(undefined);
  if (!success || data === undefined) return key;
  return `${key}=${data === null ? 'none' : typeof data === 'string' ? data : show(data)}`;
}

/** Lines of at most WIDTH columns; the first begins with `head`, all are set in by two columns. */
function wrapped(head: string, words: readonly string[]): string[] {
  const lines = [`  ${head}`];
  for (const word of words) {
    if (`${lines.at(-1)!} ${word}`.length > WIDTH) lines.push('   ');
    lines.push(`${lines.pop()!} ${word}`);
  }
  return lines;
}

/** One paragraph a group, `data` one a kind. A preset changes some of them. */
export function settingsText(): string {
  return Object.entries(settingGroups)
    .flatMap(([group, schemas]) =>
      schemas.flatMap(({ shape }) => {
        const words = Object.entries(shape).map(([key, schema]) => settingText(key, schema as z.ZodType));
        return wrapped(`${group}.`, words);
      }),
    )
    .join('\n');
}
