import { describe, it } from '@jest/globals';
import { allCases } from '../cases/index';
import { eachDevice } from '../support/devices';
import type { OpCase } from '../support/op_case';
import { checkGradients, checkGradientsOn, checkRefused, selectedOps } from '../support/op_suite';

const names = selectedOps(Object.keys(allCases));

eachDevice('gradients', (device) => {
  it.each(names)('%s', (name) => {
    if (device === 'cpu') checkGradients(name, allCases[name] as OpCase);
    else checkGradientsOn(device, name, allCases[name] as OpCase);
  });
});

describe('what must be refused', () => {
  it.each(names)('%s', (name) => {
    checkRefused(name, allCases[name] as OpCase);
  });
});
