/**
 * Label of positions that are not scored: in data sets once they are loaded (whatever `ignoreLabelId` they have on disk), in
 * batches, in the loss, and the default of `crossEntropy` as in PyTorch.
 */
export const IGNORE_LABEL = -100;
