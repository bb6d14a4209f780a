// What `nvcc -Xptxas=-v` says of kernels.

// Instructions of wgmma that could not overlap with anything: correct, and several times slower.
const SERIALISED = /\(C75(0[0-9]|1[0-5])\)|wgmma.*serializ/i;

/**
 * Kernels and what is wrong with them.
 * @param {string} text output of one or several runs of ptxas
 * @returns {{kernels: {name: string, arch: string, registers: number, stack: number, spills: number, shared: number}[],
 *   problems: string[]}} bytes of stack, spilled and static shared memory; problems in words, names still mangled
 */
export function parsePtxas(text) {
  const kernels = [];
  const problems = [];
  let current = null;
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '([^']+)' for 'sm_(\w+)'/.exec(line);
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    const used = /Used (\d+) registers/.exec(line);
    if (entry) {
      current = { name: entry[1], arch: entry[2], registers: 0, stack: 0, spills: 0, shared: 0 };
      kernels.push(current);
    } else if (frame) {
      const [stack, stores, loads] = frame.slice(1).map(Number);
      if (current) {
        current.stack = Math.max(current.stack, stack);
        current.spills += stores + loads;
      }
      if (stores + loads > 0)
        problems.push(
          `spills ${stores} bytes, loads ${loads}: ${current ? `${current.name} on sm_${current.arch}` : '?'}`,
        );
    } else if (used && current) {
      current.registers = Number(used[1]);
      current.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
    } else if (SERIALISED.test(line)) {
      problems.push(`wgmma is serialised: ${line.trim()}`);
    } else if (/\bwarning\b/i.test(line)) {
      problems.push(line.trim());
    }
  }
  return { kernels, problems };
}
