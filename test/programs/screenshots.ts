/**
 * The pictures of docs/viewer.md: `npm run docs:screenshots -- RUN`, a run of 4x4 or 9x9 Sudokus that is trained well
 * enough to look at (hrm demo makes one).
 */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { PuzzleReply, RunInfo, SegmentEvent, SolveEvent } from '../../ts/viz/protocol';
import { findChromium, launchChromium } from '../support/chromium';
import { viewRun } from '../support/viewer_run';

const OUT = path.resolve(__dirname, '../../../docs/viewer');
const MAX_BYTES = 150_000;

interface Picture {
  readonly name: string;
  readonly context: BrowserContextOptions;
  /** Segment that is shown, from 1. */
  readonly segment: number;
  readonly numbers: boolean;
  /** Class of the panel that is in the picture; otherwise what fits the window. */
  readonly panel?: string;
}

const wide = { width: 1000, height: 800 };
const PICTURES: readonly Picture[] = [
  { name: 'solve', context: { viewport: wide, colorScheme: 'light' }, segment: 1, numbers: true, panel: 'solve' },
  { name: 'training', context: { viewport: wide, colorScheme: 'dark' }, segment: 2, numbers: false, panel: 'training' },
  { name: 'phone', context: { viewport: { width: 360, height: 780 } }, segment: 1, numbers: false },
];
/** Puzzles that are tried for one that shows something. */
const N_TRIED = 80;

/** Number, from 1, of the test puzzle that breaks most rules after its first segment and none after its last. */
async function tellingPuzzle(url: string, segments: number): Promise<number> {
  const origin = url.slice(0, -1);
  let best = { number: 1, nBroken: 0 };
  for (let index = 0; index < N_TRIED; index++) {
    const reply = await fetch(`${origin}/api/puzzle?index=${index}`);
    if (!reply.ok) break;
    const { tokens, puzzleIdentifier } = (await reply.json()) as PuzzleReply;
    const answer = await fetch(`${origin}/api/solve`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: origin },
      body: JSON.stringify({ tokens, puzzleIdentifier, segments }),
    });
    const events = (await answer.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as SolveEvent)
      .filter((event): event is SegmentEvent => event.type === 'segment');
    const nBroken = events[0]!.problems.length;
    if (nBroken > best.nBroken && events.at(-1)!.problems.length === 0) best = { number: index + 1, nBroken };
  }
  return best.number;
}

async function take(page: Page, puzzle: number, { name, segment, numbers, panel }: Picture): Promise<void> {
  const number = page.getByRole('spinbutton', { name: 'Test puzzle' });
  await number.fill(String(puzzle));
  await number.press('Enter');
  await page.waitForFunction(`document.querySelector('input').value === '${puzzle}'`);
  await page.waitForTimeout(500);
  await page.getByRole('button', { name: 'Solve', exact: true }).click();
  await page.getByText(/^\d+ segments in/).waitFor();
  if (numbers) await page.getByLabel('Confidence in %').check();
  await page.getByRole('slider', { name: 'Segment' }).fill(String(segment));
  await page.waitForTimeout(300);
  await page.evaluate(`document.querySelector('.board-column').scrollIntoView()`);
  const file = path.join(OUT, `${name}.png`);
  const options = { path: file, animations: 'disabled' } as const;
  await (panel === undefined ? page.screenshot(options) : page.locator(`.panel.${panel}`).screenshot(options));
  const { size } = statSync(file);
  if (size > MAX_BYTES) throw new Error(`${file} must have at most ${MAX_BYTES} bytes, got ${size}`);
  console.log(`${path.relative(process.cwd(), file)}: ${size} bytes`);
}

async function main(): Promise<void> {
  const [run] = process.argv.slice(2);
  const program = findChromium();
  if (run === undefined || program === undefined) {
    throw new Error(run === undefined ? 'the directory of a run must be given' : 'there is no Chromium');
  }
  mkdirSync(OUT, { recursive: true });
  const viewer = await viewRun(run);
  const browser = await launchChromium(program);
  try {
    const info = (await (await fetch(`${viewer.url}api/run`)).json()) as RunInfo;
    if (!info.state.ok) throw new Error(info.state.error.message);
    const puzzle = await tellingPuzzle(viewer.url, info.state.model.haltMaxSteps);
    for (const picture of PICTURES) {
      const context = await browser.newContext(picture.context);
      const page = await context.newPage();
      await page.goto(viewer.url);
      await page.getByText(/^of \d/).waitFor();
      await take(page, puzzle, picture);
      await context.close();
    }
  } finally {
    await browser.close();
    await viewer.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
