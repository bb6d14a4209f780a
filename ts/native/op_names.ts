/** From the names of native ops to those of the functions that users call, for error texts. */

/** Where the function is not simply the op in camelCase. */
const RENAMED: Readonly<Record<string, string>> = {
  adam_atan2: 'AdamATan2.step',
  copy: 'copy_',
  ema: 'Ema.update',
  fill: 'fill_',
  normal: 'randn',
  random_integers: 'randint',
  random_permutation: 'randperm',
  sign_sgd: 'SparseSignSGD.step',
  uniform: 'rand',
};

export function publicName(op: string): string {
  return RENAMED[op] ?? op.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** A message that begins with the name of a native op (or says nothing of one), under the name of the function called. */
export function underName(message: string, op: string, called: string): string {
  for (const prefix of [`${op}: `, `${op}_: `])
    if (message.startsWith(prefix)) return `${called}: ${message.slice(prefix.length)}`;
  return /^[\w.]+: /.test(message) ? message : `${called}: ${message}`;
}
