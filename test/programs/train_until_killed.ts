/** Trains the tiny run into argv[2] and kills itself, as `kill -9` does, when step argv[3] has been reported. */
import { train } from '../../ts/train/train';
import { tinyRun } from '../support/tiny_run';

const [out, lastStep] = process.argv.slice(2);
void train({
  config: tinyRun,
  out: out!,
  onStep: ({ step }) => {
    if (step === Number(lastStep)) process.kill(process.pid, 'SIGKILL');
  },
});
