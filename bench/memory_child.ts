/** Weighs itself: node memory_child.js SETUP STEPS, where SETUP may say lowMemory, in a process of its own. Prints one JSON object. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { setNumThreads } from '../ts/native/runtime';
import { FormatError } from '../ts/error';
import { type Size, Workload } from './workload';

/** A field of /proc/self/status in bytes: the peak that getrusage reports survives exec, so that a large parent shows. */
function status(field: 'VmRSS' | 'VmHWM'): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  if (!match) throw new FormatError(`memory: /proc/self/status must have ${field}; memory is weighed on Linux only`);
  return Number(match[1]) * 1024;
}

function main([setup = '{}', steps = '3']: readonly string[]): void {
  // As the command line does, and why: see ts/cli/main.ts.
  setFlagsFromString('--no-incremental-marking');
  const { threads, lowMemory, ...size } = JSON.parse(setup) as Size & { threads: number; lowMemory?: boolean };
  // Loads the addon: part of the import.
  setNumThreads(threads);
  const rssAfterImportBytes = status('VmRSS');
  const workload = new Workload(size, {}, { lowMemory });
  let loss = 0;
  for (let i = 0; i < Number(steps); ++i) loss = workload.step();
  const peakRssBytes = status('VmHWM');
  const peakLessImportBytes = peakRssBytes - rssAfterImportBytes;
  console.log(JSON.stringify({ rssAfterImportBytes, peakRssBytes, peakLessImportBytes, loss }));
}

main(process.argv.slice(2));
