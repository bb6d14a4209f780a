/** The thread that holds the model and the puzzles of the test split; `ModelHost` gives it one job at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { ArgumentError, FormatError, HrmError } from '../error';
import type { Device } from '../native/device';
import { countParameters } from '../hrm/config';
import { loadModel, type LoadedModel } from '../train/load_model';
import { runSegments } from '../train/segments';
import type { FromWorker, JobMessage, JobName, Jobs, ToWorker } from './jobs';
import type { Failure, ModelInfo, ModelState, PuzzleReply, SolveEvent, SolveRequest } from './protocol';
import { openPuzzles, type TestPuzzles } from './puzzles';
import { answerProblems, puzzleProblems, taskOf } from './task';

const MAX_SEGMENTS = 1024;

const { dir, device } = workerData as { readonly dir: string; readonly device: Device };
const port = parentPort!;
let loaded: LoadedModel | undefined;
let puzzles: Promise<TestPuzzles> | undefined;
const cancelled = new Set<number>();

const send = (message: FromWorker): void => port.postMessage(message);
const round = (value: number): number => Math.round(value * 1e4) / 1e4;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What a person can do about a model that does not load. */
function hintOf(error: unknown): string {
  if (error instanceof FormatError) {
    return `Every checkpoint of the run is damaged, or was written by another version. hrm train --resume ${dir} says more; a copy of a checkpoint can be viewed by its own path.`;
  }
  return 'A run that has just begun writes its first checkpoint after train.checkpointEverySteps steps, and at its end: try again then.';
}

function failureOf(error: unknown): Failure {
  if (error instanceof HrmError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

function infoOf(from: LoadedModel): ModelInfo {
  const { model, config, step, path, isAveraged } = from;
  const { seqLen, vocabSize, numPuzzleIdentifiers, haltMaxSteps, hidden } = model.config;
  return {
    step,
    isAveraged,
    checkpoint: path,
    task: taskOf(from),
    seqLen,
    vocabSize,
    numPuzzleIdentifiers,
    haltMaxSteps,
    nParameters: countParameters(model.config),
    hidden,
    layers: [model.config.hLayers, model.config.lLayers],
    cycles: [model.config.hCycles, model.config.lCycles],
    dataKind: config.data.kind,
    totalSteps: config.train.steps,
  };
}

function load(): ModelState {
  try {
    const next = loadModel(dir, { device });
    loaded?.model.dispose();
    loaded = next;
    return { ok: true, model: infoOf(next) };
  } catch (error) {
    if (!(error instanceof HrmError)) throw error;
    // The model that was loaded before, if any, stays in use.
    return { ok: false, error: { ...failureOf(error), hint: hintOf(error) } };
  }
}

function requireLoaded(): LoadedModel {
  if (loaded !== undefined) return loaded;
  throw new ArgumentError('view: a model must be loaded, got none; reload it');
}

async function puzzle(index: number): Promise<PuzzleReply> {
  const { config } = requireLoaded();
  puzzles ??= openPuzzles(config);
  try {
    return (await puzzles).at(index);
  } catch (error) {
    // The files may be there the next time.
    if (!(error instanceof ArgumentError)) puzzles = undefined;
    throw error;
  }
}

/** What the model would index out of bounds. */
function requireFitting({ tokens, puzzleIdentifier, segments }: SolveRequest): LoadedModel {
  const current = requireLoaded();
  const { seqLen, vocabSize, numPuzzleIdentifiers } = current.model.config;
  if (tokens.length !== seqLen) {
    throw new ArgumentError(`solve: a puzzle must have ${seqLen} cells, got ${tokens.length}`);
  }
  const wrong = tokens.findIndex((token) => token >= vocabSize);
  if (wrong >= 0) {
    throw new ArgumentError(`solve: cell ${wrong + 1} must be a token under ${vocabSize}, got ${tokens[wrong]}`);
  }
  if (puzzleIdentifier >= numPuzzleIdentifiers) {
    throw new ArgumentError(
      `solve: the puzzle identifier must be under ${numPuzzleIdentifiers}, got ${puzzleIdentifier}`,
    );
  }
  if (segments > MAX_SEGMENTS) throw new ArgumentError(`solve: at most ${MAX_SEGMENTS} segments, got ${segments}`);
  return current;
}

async function solve(id: number, request: SolveRequest): Promise<null> {
  const current = requireFitting(request);
  const { model, step } = current;
  const { tokens, puzzleIdentifier, segments } = request;
  const task = taskOf(current);
  const say = (event: SolveEvent): void => send({ id, type: 'event', event });
  const started = performance.now();
  say({ type: 'start', step, problems: puzzleProblems(task, tokens) });
  let before: ArrayLike<number> = tokens;
  const row = { inputs: Int32Array.from(tokens), puzzleIdentifier };
  for (const answer of runSegments(model, row, segments)) {
    const changed = Array.from(answer.tokens.keys()).filter((cell) => answer.tokens[cell] !== before[cell]);
    say({
      type: 'segment',
      tokens: Array.from(answer.tokens),
      confidence: Array.from(answer.confidence, round),
      changed,
      qHalt: round(answer.qHalt),
      qContinue: round(answer.qContinue),
      halts: answer.halts,
      problems: answerProblems(task, tokens, answer.tokens),
    });
    before = answer.tokens;
    // Lets the request be taken back.
    await turn();
    if (cancelled.has(id)) break;
  }
  say({ type: 'end', seconds: (performance.now() - started) / 1000 });
  return null;
}

function perform(message: JobMessage): Jobs[JobName]['out'] | Promise<Jobs[JobName]['out']> {
  switch (message.job) {
    case 'load':
      return load();
    case 'puzzle':
      return puzzle(message.input.index);
    case 'solve':
      return solve(message.id, message.input);
  }
}

async function onJob(message: JobMessage): Promise<void> {
  const { id } = message;
  try {
    send({ id, type: 'done', value: await perform(message) });
  } catch (error) {
    send({ id, type: 'failed', error: failureOf(error) });
  } finally {
    cancelled.delete(id);
  }
}

port.on('message', (message: ToWorker) => {
  if ('cancel' in message) cancelled.add(message.cancel);
  else void onJob(message);
});
