/** `hrm doctor`: what this machine and installation have, what is missing, and the fix for each. */
import { defineCommand, EXIT_FAILURE, EXIT_OK } from './command';
import { diagnose, type Finding } from './doctor_diagnose';
import { gatherFacts, type Facts, type Tool } from './doctor_probe';

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
const tool = (found: Tool | null): string => (found === null ? 'not found' : `${found.version} (${found.path})`);

function describeAddon({ addon }: Facts): string {
  if (addon.info === null) return addon.status;
  return `loaded from ${addon.path}, compiled by ${addon.info.compiler}`;
}

function describeIsa({ addon, cpu }: Facts): string {
  const features = cpu.features.join(' ') || 'unknown features';
  return addon.info === null ? features : `${addon.info.isa} chosen (of ${features})`;
}

function describeGpu({ gpu, tools, addon }: Facts): string {
  const devices = gpu.devices.length > 0 ? gpu.devices.join('; ') : 'none';
  const cuda = addon.info?.cuda;
  const library = cuda?.cublasLt.file ? `${cuda.cublasLt.file} ${cuda.cublasLt.version}` : 'no cuBLASLt';
  const { count = 0, missing = null } = addon.info?.gpu ?? {};
  const usable = count > 0 ? `can use ${count}` : `can use none (${missing ?? 'it does not say why'})`;
  const built = cuda ? `CUDA ${cuda.runtimeVersion}, ${usable}, finds ${library}` : 'no CUDA';
  return `${devices}; driver ${gpu.driver ?? 'none'}; addon has ${built}; nvcc ${tool(tools.nvcc)}`;
}

/** The default, and which of its limits decides. */
function describeThreads({ addon, threads }: Facts): string {
  if (addon.info === null) return `${threads.available} usable`;
  const { affinity, cores, quota, threads: chosen } = addon.info.cpus;
  const granted = quota === null ? 'no quota' : `a quota of ${quota} CPUs`;
  const why = quota !== null && quota < cores ? 'the quota decides' : 'one a core';
  return `${chosen} by default: ${affinity} CPUs allowed, ${cores} physical cores, ${granted}; ${why}`;
}

/** The report for a person. */
export function renderReport(facts: Facts, findings: readonly Finding[]): string {
  const { node, system, cpu, memory, tools } = facts;
  const rows: [string, string][] = [
    ['package', `${facts.package.name} ${facts.package.version} in ${facts.package.root}`],
    ['node', `${node.version} (needs ${node.required}), N-API ${node.napi}, modules ${node.modules}`],
    ['system', [system.platform, system.arch, system.release, system.libc].filter(Boolean).join(' ')],
    ['addon', describeAddon(facts)],
    ['compiler', tool(tools.compiler)],
    ['cmake', tool(tools.cmake)],
    ['make', tool(tools.make)],
    ['python', `${tool(tools.python)}; only node-gyp needs it`],
    ['cpu', `${cpu.model}, ${cpu.physical} cores, ${cpu.logical} threads`],
    ['isa', describeIsa(facts)],
    ['threads', describeThreads(facts)],
    [
      'memory',
      `${gib(memory.totalBytes)}, ${gib(memory.availableBytes)} free, cgroup limit ` +
        `${memory.cgroupLimitBytes === null ? 'none' : gib(memory.cgroupLimitBytes)}, budget ${gib(memory.budgetBytes)}`,
    ],
    ['gpu', describeGpu(facts)],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(9)} ${value}`);
  for (const { level, about, message, fix } of findings) {
    lines.push('', `${level}: ${about}: ${message}`);
    if (fix !== null) lines.push(`  fix: ${fix}`);
  }
  const nErrors = findings.filter(({ level }) => level === 'error').length;
  lines.push(
    '',
    nErrors === 0 ? 'hrm is ready.' : `hrm cannot run yet: ${nErrors} error${nErrors > 1 ? 's' : ''} above.`,
  );
  return `${lines.join('\n')}\n`;
}

export const doctor = defineCommand({
  command: 'doctor',
  describe: 'Show versions, CPU, memory and GPU, what is missing and how to fix it',
  examples: [
    ['$0 doctor', 'a report to read; exit code 1 if hrm cannot run'],
    ['$0 doctor --json', 'the same facts and findings for a program'],
  ],
  options: (parser) => parser.option('json', { type: 'boolean', default: false, describe: 'Print JSON' }),
  run: async ({ json }) => {
    const facts = await gatherFacts();
    const findings = diagnose(facts);
    const ok = !findings.some(({ level }) => level === 'error');
    process.stdout.write(
      json ? `${JSON.stringify({ ok, ...facts, findings }, null, 2)}\n` : renderReport(facts, findings),
    );
    return ok ? EXIT_OK : EXIT_FAILURE;
  },
});
