/**
 * The pictures of docs/viewer.md: `npm run docs:screenshots -- RUN`, a run of 4x4 or 9x9 Sudokus that is trained well
 * enough to look at (hrm demo makes one).
 */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
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
  /** Whole page, or what fits the window. */
  readonly fullPage: boolean;
}

const PICTURES: readonly Picture[] = [
  {
    name: 'solve-light',
    context: { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
    ...{ segment: 1, numbers: true, fullPage: false },
  },
  {
    name: 'whole-dark',
    context: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
    ...{ segment: 2, numbers: false, fullPage: true },
  },
  {
    name: 'phone',
    context: { viewport: { width: 360, height: 780 }, colorScheme: 'light', deviceScaleFactor: 1 },
    ...{ segment: 1, numbers: false, fullPage: false },
  },
];

async function take(page: Page, { name, segment, numbers, fullPage }: Picture): Promise<void> {
  await page.getByRole('spinbutton', { name: 'Test puzzle' }).fill('3');
  await page.getByRole('spinbutton', { name: 'Test puzzle' }).press('Enter');
  await page.getByRole('button', { name: 'Solve', exact: true }).click();
  await page.getByText(/^\d+ segments in/).waitFor();
  if (numbers) await page.getByLabel('Confidence in %').check();
  await page.getByRole('slider', { name: 'Segment' }).fill(String(segment));
  await page.waitForTimeout(300);
  const file = path.join(OUT, `${name}.png`);
  await page.screenshot({ path: file, fullPage, animations: 'disabled' });
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
  for (const picture of PICTURES) {
    const context = await browser.newContext(picture.context);
    const page = await context.newPage();
    await page.goto(viewer.url);
    await page.getByText(/^of \d/).waitFor();
    await take(page, picture);
    await context.close();
  }
  await browser.close();
  await viewer.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
