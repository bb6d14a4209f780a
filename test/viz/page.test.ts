import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { source as axeSource } from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { metricsLine } from '../../ts/train/metrics';
import type { Viewer } from '../../ts/viz/server';
import { findChromium, launchChromium } from '../support/chromium';
import { trainTiny, trainTokens, viewRun } from '../support/viewer_run';
import { appendFileSync } from 'node:fs';

const chromium = findChromium();
const NAME = '<b onmouseover=alert(1)>run';
const PUZZLE = '1...\n..2.\n.3..\n...4';

// What runs in the page is text here: the types of this program know no document.

/** What axe-core finds of WCAG 2.2 A and AA, and of good practice. */
async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate<string[]>(`
    axe
      .run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
      .then(({ violations }) => violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => id + ': ' + target.join(' ') + ' ' + failureSummary)))
  `);
}

const focusedAttribute = (page: Page, name: string): Promise<string | null> =>
  page.evaluate<string | null>(`document.activeElement.getAttribute(${JSON.stringify(name)})`);

const scrolls = (page: Page): Promise<boolean> =>
  page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth');

if (chromium === undefined) {
  it('is skipped: there is no Chromium', () => {
    if (process.env.REQUIRE_CHROMIUM === '1') throw new Error('REQUIRE_CHROMIUM=1, but there is no Chromium');
    process.stderr.write('skipped: the page in a browser: there is no Chromium; HRM_CHROMIUM names one\n');
  });
} else {
  describe('the page in Chromium', () => {
    const root = mkdtempSync(path.join(tmpdir(), 'hrm-page-'));
    const dir = path.join(root, NAME);
    let browser: Browser;
    let viewer: Viewer;
    const faults: string[] = [];

    beforeAll(async () => {
      [browser] = await Promise.all([launchChromium(chromium), trainTiny(dir)]);
      viewer = await viewRun(dir);
    });
    afterAll(async () => {
      await browser.close();
      await viewer.close();
      rmSync(root, { recursive: true, force: true });
    });

    /** The page with its first puzzle on the board. */
    async function open(options: BrowserContextOptions = {}, url = viewer.url, ready = 'of 12'): Promise<Page> {
      const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(8000);
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
      });
      page.on('pageerror', (error) => faults.push(error.message));
      // A solution that nobody waits for any more is given up on purpose.
      page.on('requestfailed', (request) => {
        const problem = `${new URL(request.url()).pathname} ${request.failure()?.errorText}`;
        if (problem !== '/api/solve net::ERR_ABORTED') faults.push(problem);
      });
      page.on('dialog', (dialog) => faults.push(`dialog ${dialog.message()}`));
      await page.goto(url);
      await page.getByText(ready, { exact: true }).waitFor();
      return page;
    }
    const cells = (page: Page): Promise<string[]> => page.getByRole('gridcell').allInnerTexts();
    const solveIt = async (page: Page): Promise<void> => {
      await page.getByRole('button', { name: 'Solve', exact: true }).click();
      await page.getByText(/^2 segments in/).waitFor();
    };

    it('shows the run, solves a typed puzzle and goes back and forth over its segments', async () => {
      const page = await open();
      expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(NAME);
      await page.getByRole('button', { name: 'As text' }).click();
      const text = page.getByLabel('The puzzle as text');
      await text.fill('<script>alert(1)</script>');
      await page.getByRole('button', { name: 'Use this text' }).click();
      expect(await page.getByRole('alert').innerText()).toBe('"<" is no digit of a 4x4 Sudoku.');
      await text.fill(PUZZLE);
      await page.getByRole('button', { name: 'Use this text' }).click();
      expect((await cells(page)).join('')).toBe('1234');
      expect(await page.getByRole('gridcell').nth(6).getAttribute('aria-label')).toBe('row 2, column 3: 2, given');

      await page.getByRole('spinbutton', { name: 'Segments' }).fill('4');
      await page.getByRole('button', { name: 'Solve', exact: true }).click();
      await page.getByText(/^4 segments in/).waitFor();
      // Whoever watches is at the last segment.
      const slider = page.getByRole('slider', { name: 'Segment' });
      expect(await slider.getAttribute('aria-valuetext')).toBe('Segment 4 of 4');
      expect(await page.locator('.summary').innerText()).toMatch(
        /^Segment 4 of 4: \d+ cells? changed, confidence [\d.]+%/,
      );
      const last = await cells(page);
      expect(last.every((glyph) => glyph !== '')).toBe(true);
      await slider.press('Home');
      expect((await cells(page)).join('')).toBe('1234');
      await slider.press('ArrowRight');
      expect(await slider.getAttribute('aria-valuetext')).toBe('Segment 1 of 4');
      expect(await page.locator('.cell.changed').count()).toBeGreaterThan(0);
      // An untrained model breaks rules: they are listed, marked, and said.
      expect(await page.getByText('The answer breaks rules').count()).toBe(1);
      expect(await page.locator('.board .cell.bad').count()).toBeGreaterThan(0);
      await page
        .getByRole('status')
        .filter({ hasText: /rules? broken/ })
        .waitFor({ state: 'attached' });
      await page.getByRole('button', { name: 'Play' }).click();
      await page.getByRole('button', { name: 'Pause' }).waitFor();
      await page.locator('.where', { hasText: 'Segment 2 of 4' }).waitFor();
      await page.getByRole('row', { name: /^4 / }).getByRole('button').click();
      expect(await cells(page)).toEqual(last);
      expect(await page.getByRole('button', { name: 'Play' }).count()).toBe(1);
      await page.getByLabel('Confidence in %').check();
      expect(await page.locator('.board .number').count()).toBe(16);
      expect(await accessibilityFaults(page)).toEqual([]);
      await page.context().close();
    });

    it('can be used by the keyboard alone', async () => {
      const page = await open();
      /** Presses Tab until the focus is where a selector says. */
      const tabTo = async (selector: string): Promise<void> => {
        for (let i = 0; i < 40; i++) {
          await page.keyboard.press('Tab');
          if (await page.evaluate<boolean>(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
        }
        throw new Error(`Tab never comes to ${selector}`);
      };
      const focused = (): Promise<string | null> => focusedAttribute(page, 'aria-label');
      await tabTo('.puzzle-bar button:nth-of-type(4)');
      await page.keyboard.press('Enter');
      expect((await cells(page)).join('')).toBe('');
      await tabTo('[role=gridcell]');
      expect(await focused()).toBe('row 1, column 1: blank');
      await page.keyboard.press('3');
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('9');
      await page.keyboard.press('4');
      await page.keyboard.press('End');
      await page.keyboard.press('ArrowRight');
      expect(await focused()).toBe('row 2, column 4: blank');
      await page.keyboard.press('2');
      await page.keyboard.press('Backspace');
      expect((await cells(page)).join('')).toBe('34');
      await tabTo('button.primary');
      await page.keyboard.press('Space');
      await page.getByText(/^2 segments in/).waitFor();
      await page.keyboard.press('Shift+Tab');
      await tabTo('#segment');
      await page.keyboard.press('ArrowLeft');
      expect(await page.locator('.where').innerText()).toBe('Segment 1 of 2');
      await page.getByRole('gridcell').nth(0).focus();
      await page.keyboard.press('PageUp');
      expect(await page.locator('.where').innerText()).toBe('The puzzle');
      await page.keyboard.press('PageDown');
      await page.keyboard.press('PageDown');
      expect(await page.locator('.where').innerText()).toBe('Segment 2 of 2');
      expect(await focused()).toMatch(/^row 1, column 1: \d, given, confidence [\d.]+%|^row 1, column 1: /);
      // An answer is not typed over.
      const answer = await cells(page);
      await page.keyboard.press('1');
      expect(await cells(page)).toEqual(answer);
      await page.context().close();
    });

    it.each(['light', 'dark'] as const)(
      'has contrast in %s, and fits every width from 360 pixels on',
      async (colorScheme) => {
        const page = await open({ colorScheme, viewport: { width: 360, height: 740 } });
        await solveIt(page);
        await page.getByLabel('Compare with the solution').check();
        expect(await accessibilityFaults(page)).toEqual([]);
        for (const width of [360, 640, 1024]) {
          await page.setViewportSize({ width, height: 800 });
          await page.waitForTimeout(60);
          expect([width, await scrolls(page)]).toEqual([width, false]);
        }
        const ground = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
        expect(ground).toBe(colorScheme === 'dark' ? 'rgb(15, 19, 24)' : 'rgb(244, 245, 247)');
        await page.context().close();
      },
    );

    /** A page on a run of another task. */
    async function withTask(
      vocabSize: number,
      rows: readonly (readonly number[])[],
      body: (page: Page) => Promise<void>,
    ): Promise<void> {
      const run = mkdtempSync(path.join(root, 'task-'));
      await trainTokens(run, vocabSize, rows);
      const other = await viewRun(path.join(run, 'run'));
      try {
        const page = await open({}, other.url, `of ${rows.length}`);
        try {
          await body(page);
          expect(await accessibilityFaults(page)).toEqual([]);
        } finally {
          await page.context().close();
        }
      } finally {
        await other.close();
      }
    }
    const centre = async (page: Page, cell: number): Promise<[number, number]> => {
      const box = (await page.getByRole('gridcell').nth(cell).boundingBox())!;
      return [box.x + box.width / 2, box.y + box.height / 2];
    };

    it('draws mazes by mouse and by keyboard', async () => {
      const rows = [Array.from('#####S   ## # ##   G#####', (character) => '# SGo'.indexOf(character) + 1)];
      await withTask(6, rows, async (page) => {
        const names = (): Promise<string[]> =>
          page.evaluate<string[]>(`[...document.querySelectorAll('[role=gridcell]')].map((cell) => cell.ariaLabel)`);
        expect((await names())[5]).toBe('row 2, column 1: start, given');
        await page.getByRole('radio', { name: 'floor' }).check();
        await page.mouse.move(...(await centre(page, 10)));
        await page.mouse.down();
        await page.mouse.move(...(await centre(page, 12)), { steps: 8 });
        await page.mouse.up();
        expect((await names()).slice(10, 14)).toEqual([
          'row 3, column 1: floor',
          'row 3, column 2: floor',
          'row 3, column 3: floor',
          'row 3, column 4: floor',
        ]);
        expect(await focusedAttribute(page, 'data-cell')).toMatch(/1[0-2]/);
        // One start only: it moves.
        await page.getByRole('gridcell').nth(0).focus();
        await page.keyboard.press('s');
        await page.keyboard.press('ArrowRight');
        await page.keyboard.press('Space');
        expect((await names()).filter((name) => name.includes('start'))).toEqual(['row 1, column 1: start, given']);
        await page.keyboard.press('#');
        expect((await names())[1]).toBe('row 1, column 2: wall, given');
        await page.getByRole('button', { name: 'As text' }).click();
        expect(await page.getByLabel('The puzzle as text').inputValue()).toBe('S####\n    #\n    #\n#   G\n#####');
        await solveIt(page);
        await page
          .getByText(/^Segment 2 of 2: .* broken/)
          .first()
          .waitFor();
      });
    });

    it('draws ARC grids of any size', async () => {
      const grid = Array.from({ length: 64 }, (_, cell) =>
        cell % 8 < 2 && cell < 16 ? 4 : cell % 8 === 2 && cell < 16 ? 1 : cell > 15 && cell < 18 ? 1 : 0,
      );
      await withTask(12, [grid], async (page) => {
        expect(await page.locator('.name').innerText()).toBe('<i>puzzle');
        expect(await page.getByRole('spinbutton', { name: 'Rows' }).inputValue()).toBe('2');
        await page.getByRole('spinbutton', { name: 'Columns' }).fill('3');
        await page.getByRole('spinbutton', { name: 'Columns' }).press('Enter');
        await page.getByRole('radio', { name: 'yellow' }).check();
        await page.mouse.click(...(await centre(page, 0)));
        await page.keyboard.press('ArrowRight');
        await page.keyboard.press('8');
        await page.getByRole('button', { name: 'As text' }).click();
        const text = page.getByLabel('The puzzle as text');
        expect(await text.inputValue()).toBe('480\n220');
        await text.fill('[[1, 2], [3, 4], [5, 6]]');
        await page.getByRole('button', { name: 'Use this text' }).click();
        expect(await page.getByRole('spinbutton', { name: 'Rows' }).inputValue()).toBe('3');
        expect(await page.getByRole('gridcell').nth(0).getAttribute('aria-label')).toBe('row 1, column 1: 1 blue');
        await solveIt(page);
      });
    });

    it('draws the curves, and goes on as the run does', async () => {
      const page = await open();
      const chart = page.getByRole('img', { name: /^Learning rate/ });
      await chart.waitFor();
      const before = await chart.getAttribute('aria-label');
      expect(await page.getByRole('row', { name: /test, final/ }).count()).toBe(1);
      expect(await page.getByRole('img').count()).toBe(5);
      appendFileSync(
        path.join(dir, 'metrics.jsonl'),
        metricsLine({ step: 900, kind: 'train', values: { lr: 0.25 } }).slice(0, 20),
      );
      await page.waitForTimeout(1200);
      expect(await chart.getAttribute('aria-label')).toBe(before);
      appendFileSync(
        path.join(dir, 'metrics.jsonl'),
        metricsLine({ step: 900, kind: 'train', values: { lr: 0.25 } }).slice(20),
      );
      await page.getByRole('img', { name: 'Learning rate: learning rate 0.25 at step 900' }).waitFor();
      await page.getByText('growing', { exact: true }).waitFor();
      await page.getByRole('slider', { name: 'Values at step' }).fill('12');
      expect(await chart.getAttribute('aria-label')).toBe(before);
      await page.context().close();
    });

    it('says so when the server is gone, and had no errors before', async () => {
      const page = await open();
      expect(faults).toEqual([]);
      await viewer.close();
      expect(await page.getByRole('alert').innerText()).toMatch(/The server does not answer/);
    });
  });
}
