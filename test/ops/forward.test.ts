import { it } from '@jest/globals';
import { allCases } from '../cases/index';
import { eachDevice } from '../support/devices';
import { checkForward, checkSamples, checkSpecials, selectedOps } from '../support/op_suite';
import { ALL_DTYPES, type OpCase } from '../support/op_case';

eachDevice('results', (device) => {
  it.each(selectedOps(Object.keys(allCases)))('%s', (name) => {
    const spec = allCases[name] as OpCase;
    checkSamples(name, spec);
    for (const dtype of ALL_DTYPES) checkForward(name, spec, dtype, device);
    checkSpecials(name, spec, device);
  });
});
