import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MetricsReply, PuzzleReply, RunInfo, SegmentEvent, SolveEvent } from '../../ts/viz/protocol';
import type { Viewer } from '../../ts/viz/server';
import { type RawRequest, rawRequest, sendRaw } from '../support/raw_http';
import { pageDir, trainTiny, viewRun } from '../support/viewer_run';

/** A name that would be markup if anything put it into a page as such. */
const NAME = '<img src=x onerror=alert(1)>"\'&';
const root = mkdtempSync(path.join(tmpdir(), 'hrm-view-'));
const dir = path.join(root, NAME);
let viewer: Viewer;

beforeAll(async () => {
  await trainTiny(dir);
  viewer = await viewRun(dir);
});
afterAll(async () => {
  await viewer.close();
  rmSync(root, { recursive: true, force: true });
});

const origin = (): string => `http://127.0.0.1:${viewer.port}`;
const get = (target: string): Promise<Response> => fetch(`${origin()}${target}`);
const getJson = async <T>(target: string): Promise<T> => (await (await get(target)).json()) as T;
function post(target: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${origin()}${target}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: origin(), ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}
async function solveEvents(request: unknown): Promise<SolveEvent[]> {
  const text = await (await post('/api/solve', request)).text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as SolveEvent);
}
const blank = new Array<number>(16).fill(1);

describe('what the page gets', () => {
  it('serves its files with headers that forbid everything else', async () => {
    for (const [target, type] of [
      ['/', 'text/html; charset=utf-8'],
      ['/app.js', 'text/javascript; charset=utf-8'],
      ['/app.css', 'text/css; charset=utf-8'],
      ['/icon.svg', 'image/svg+xml'],
    ] as const) {
      const response = await get(target);
      expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      const text = await response.text();
      expect(text.length).toBeGreaterThan(100);
      if (target === '/') expect(text).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=/);
    }
  });

  it('describes the run and its model', async () => {
    const run = await getJson<RunInfo>('/api/run');
    expect(run.name).toBe(NAME);
    expect(run.state).toMatchObject({
      ok: true,
      model: {
        step: 12,
        isAveraged: true,
        seqLen: 16,
        haltMaxSteps: 2,
        task: { kind: 'sudoku', boxRows: 2, boxCols: 2 },
      },
    });
  });

  it('gives metrics from any line on, and all of them after the file began anew', async () => {
    const all = await getJson<MetricsReply>('/api/metrics');
    expect(all.newestStep).toBe(12);
    expect(all.total).toBe(all.lines.length);
    expect(all.lines.map(({ kind }) => kind)).toContain('final');
    const rest = await getJson<MetricsReply>(`/api/metrics?from=2&generation=${all.generation}`);
    expect(rest.lines).toEqual(all.lines.slice(2));
    const other = await getJson<MetricsReply>(`/api/metrics?from=2&generation=${all.generation + 1}`);
    expect([other.from, other.lines.length]).toEqual([0, all.lines.length]);
    appendFileSync(path.join(dir, 'metrics.jsonl'), '{"step":13,"kind":"train","loss":0.5}\n{"step":14,');
    const grown = await getJson<MetricsReply>(`/api/metrics?from=${all.total}&generation=${all.generation}`);
    expect(grown.lines).toEqual([{ step: 13, kind: 'train', values: { loss: 0.5 } }]);
  });

  it('gives the puzzles of the test split', async () => {
    const puzzle = await getJson<PuzzleReply>('/api/puzzle?index=11');
    expect(puzzle).toMatchObject({ index: 11, count: 12, puzzleIdentifier: 0, name: null });
    expect(puzzle.tokens).toHaveLength(16);
    puzzle.tokens.forEach((token, cell) => expect([1, puzzle.labels[cell]]).toContain(token));
    const past = await get('/api/puzzle?index=12');
    expect(past.status).toBe(400);
    expect(await past.json()).toMatchObject({
      error: { code: 'HRM_ARGUMENT', message: expect.stringMatching(/from 0 to 11, got 12/) },
    });
  });

  it('solves, segment after segment, for any number of them', async () => {
    const tokens = [2, ...blank.slice(1, 15), 2];
    const events = await solveEvents({ tokens, puzzleIdentifier: 0, segments: 5 });
    expect(events.map(({ type }) => type)).toEqual(['start', ...new Array<string>(5).fill('segment'), 'end']);
    let before = tokens;
    for (const event of events.slice(1, 6) as SegmentEvent[]) {
      expect(event.tokens).toHaveLength(16);
      for (const share of event.confidence) expect(share).toBeGreaterThan(0);
      const differs = event.tokens.flatMap((token, cell) => (token === before[cell] ? [] : [cell]));
      expect(event.changed).toEqual(differs);
      expect(event.halts).toBe(event.qHalt > event.qContinue);
      before = [...event.tokens];
    }
    const [start] = await solveEvents({ tokens: [2, 2, ...blank.slice(2)], puzzleIdentifier: 0, segments: 1 });
    expect(start).toMatchObject({ type: 'start', step: 12, problems: [{ cells: [0, 1] }, { cells: [0, 1] }] });
  });

  it('lets several solutions wait in line, and refuses more than it keeps', async () => {
    const request = { tokens: blank, puzzleIdentifier: 0, segments: 20 };
    const replies = await Promise.all(Array.from({ length: 24 }, () => post('/api/solve', request)));
    const counts = { 200: 0, 503: 0 };
    for (const reply of replies) {
      counts[reply.status as 200 | 503]++;
      const text = await reply.text();
      if (reply.status === 200) expect(text).toMatch(/"type":"end","seconds":[\d.]+\}\n$/);
      else expect(text).toMatch(/BUSY/);
    }
    expect(counts[200]).toBeGreaterThanOrEqual(17);
    expect(counts[200] + counts[503]).toBe(24);
  });

  it('ends the work of whoever has gone', async () => {
    const controller = new AbortController();
    const body = JSON.stringify({ tokens: blank, puzzleIdentifier: 0, segments: 1000 });
    const reply = await fetch(`${origin()}/api/solve`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: origin() },
      body,
      signal: controller.signal,
    });
    await reply.body!.getReader().read();
    const started = performance.now();
    controller.abort();
    const events = await solveEvents({ tokens: blank, puzzleIdentifier: 0, segments: 1 });
    expect(events.at(-1)).toMatchObject({ type: 'end' });
    // A thousand segments take seconds.
    expect(performance.now() - started).toBeLessThan(1500);
  });

  it('loads the model again on request', async () => {
    const reply = await post('/api/reload', {});
    expect(await reply.json()).toMatchObject({ state: { ok: true, model: { step: 12 } } });
  });
});

describe('what it refuses', () => {
  const solveBody = JSON.stringify({ tokens: blank, puzzleIdentifier: 0, segments: 1 });
  const solving = (changes: RawRequest): RawRequest => ({
    method: 'POST',
    target: '/api/solve',
    body: solveBody,
    ...changes,
  });
  const body = (text: string): RawRequest => solving({ body: text });
  const nested = `${'['.repeat(5000)}${']'.repeat(5000)}`;

  it('answers the request that the attacks are made of', async () => {
    for (const request of [{}, { headers: { Host: `localhost:${viewer.port}` } }, solving({})]) {
      expect((await sendRaw(viewer.port, rawRequest(viewer.port, request))).status).toBe(200);
    }
  });

  it.each<[string, number, RawRequest]>([
    // Paths
    ['parent folder', 404, { target: '/../package.json' }],
    ['parent folder below a file', 404, { target: '/app.js/../../package.json' }],
    ['parent folder, encoded dots', 404, { target: '/%2e%2e/package.json' }],
    ['parent folder, encoded slash', 404, { target: '/..%2fpackage.json' }],
    ['parent folder, encoded twice', 404, { target: '/%252e%252e%252fetc%252fpasswd' }],
    ['parent folder, overlong UTF-8', 404, { target: '/%c0%ae%c0%ae/etc/passwd' }],
    ['parent folder, UTF-16 escapes', 404, { target: '/%u002e%u002e/etc/passwd' }],
    ['parent folder, backslashes', 404, { target: '/..\\..\\package.json' }],
    ['parent folder, encoded backslashes', 404, { target: '/..%5c..%5cpackage.json' }],
    ['parent folder behind a semicolon', 404, { target: '/..;/package.json' }],
    ['two slashes', 404, { target: '//etc/passwd' }],
    ['two slashes before a file', 404, { target: '//app.js' }],
    ['a dot before a file', 404, { target: '/./app.js' }],
    ['an encoded file name', 404, { target: '/app%2ejs' }],
    ['a NUL after a file', 404, { target: '/app.js%00.html' }],
    ['capital letters', 404, { target: '/APP.JS' }],
    ['a slash after a file', 404, { target: '/app.js/' }],
    ['a file of the build that is no asset', 404, { target: '/index.html' }],
    ['a file of the run', 404, { target: '/metrics.jsonl' }],
    ['a key of every object', 404, { target: '/__proto__' }],
    ['markup in the path', 404, { target: '/<script>alert(1)</script>' }],
    ['a fragment', 404, { target: '/#/' }],
    ['a whole address', 404, { target: 'http://127.0.0.1/app.js' }],
    ['the address of another machine', 404, { target: 'http://example.com/' }],
    ['a file address', 404, { target: 'file:///etc/passwd' }],
    ['an asterisk', 404, { method: 'OPTIONS', target: '*' }],
    // Queries
    ['a query on a file', 400, { target: '/app.js?file=/etc/passwd' }],
    ['a query that is no number', 400, { target: '/api/puzzle?index=1e3' }],
    ['a negative number', 400, { target: '/api/puzzle?index=-1' }],
    ['a huge number', 400, { target: '/api/puzzle?index=99999999999999999999' }],
    ['a parameter given twice', 400, { target: '/api/puzzle?index=1&index=2' }],
    ['an unknown parameter', 400, { target: '/api/metrics?path=/etc/passwd' }],
    ['markup in the query', 400, { target: '/api/puzzle?index=<script>' }],
    // Host and Origin
    ['a name that resolves here', 403, { headers: { Host: 'evil.example' } }],
    ['a name with our port', 403, { headers: { Host: 'evil.example:1234' } }],
    ['our address without the port', 403, { headers: { Host: '127.0.0.1' } }],
    ['another port', 403, { headers: { Host: '127.0.0.1:1' } }],
    ['a name that begins like ours', 403, { headers: { Host: 'localhost.evil.example' } }],
    ['a name with a dot at its end', 403, { headers: { Host: 'localhost.' } }],
    ['another spelling of the address', 403, { headers: { Host: '2130706433' } }],
    ['every address', 403, { headers: { Host: '0.0.0.0' } }],
    ['the IPv6 address', 403, { headers: { Host: '[::1]' } }],
    ['a person before the address', 403, { headers: { Host: 'a@127.0.0.1' } }],
    ['an empty Host', 403, { headers: { Host: '' } }],
    ['no Host', 403, { headers: { Host: null } }],
    ['a forwarded Host', 403, { headers: { Host: 'evil.example', 'X-Forwarded-Host': '127.0.0.1' } }],
    ['another Origin', 403, solving({ headers: { Origin: 'http://evil.example' } })],
    ['an Origin on another port', 403, solving({ headers: { Origin: 'http://127.0.0.1:1' } })],
    ['an Origin without the port', 403, solving({ headers: { Origin: 'http://127.0.0.1' } })],
    ['the Origin of a frame without rights', 403, solving({ headers: { Origin: 'null' } })],
    ['no Origin', 403, solving({ headers: { Origin: null } })],
    ['another Origin on a GET', 403, { target: '/api/run', headers: { Origin: 'http://evil.example' } }],
    ['a request from another site', 403, { target: '/api/run', headers: { 'Sec-Fetch-Site': 'cross-site' } }],
    ['a script tag of another site', 403, { target: '/app.js', headers: { 'Sec-Fetch-Site': 'cross-site' } }],
    ['a POST from the same machine', 403, solving({ headers: { 'Sec-Fetch-Site': 'same-site' } })],
    // Methods and their bodies
    ['HEAD', 405, { method: 'HEAD' }],
    ['PUT', 405, { method: 'PUT', target: '/app.js', body: 'x' }],
    ['DELETE', 405, { method: 'DELETE', target: '/app.js' }],
    ['TRACE', 405, { method: 'TRACE' }],
    ['OPTIONS before a foreign POST', 405, { method: 'OPTIONS', target: '/api/solve' }],
    ['GET of what is POSTed', 405, { target: '/api/solve' }],
    ['POST of what is read', 405, { method: 'POST', target: '/api/run', body: '{}' }],
    ['a GET with a body', 400, { target: '/api/run', body: '{}' }],
    ['a WebSocket', 400, { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } }],
    ['Expect', 417, solving({ headers: { Expect: 'something' } })],
    ['Expect: 100-continue', 417, solving({ headers: { Expect: '100-continue' } })],
    // Content
    ['a form', 415, solving({ headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })],
    ['plain text', 415, solving({ headers: { 'Content-Type': 'text/plain' } })],
    ['no content type', 415, solving({ headers: { 'Content-Type': null } })],
    ['JSON as a part of another type', 415, solving({ headers: { 'Content-Type': 'text/plain; application/json' } })],
    ['another encoding of letters', 415, solving({ headers: { 'Content-Type': 'application/json; charset=utf-16' } })],
    ['a compressed body', 415, solving({ headers: { 'Content-Encoding': 'gzip' } })],
    ['an oversized body', 413, body(`{"tokens":[${'1,'.repeat(200_000)}1]}`)],
    ['a size that is announced only', 413, solving({ headers: { 'Content-Length': '999999999' } })],
    ['an empty body', 400, body('')],
    ['half a body', 400, body('{"tokens":[1,')],
    ['no JSON', 400, body('tokens=1')],
    ['a comment in JSON', 400, body('{"tokens":[1]/* */}')],
    ['a key twice', 400, body('{"tokens":[1],"tokens":[2],"puzzleIdentifier":0,"segments":1}')],
    ['deep nesting', 400, body(nested)],
    ['deep nesting in a field', 400, body(`{"tokens":${nested}}`)],
    ['bytes that are no UTF-8', 400, body('{"tokens":"\ud800"}')],
    ['an array', 400, body('[]')],
    ['null', 400, body('null')],
    ['no tokens', 400, body('{"tokens":[],"puzzleIdentifier":0,"segments":1}')],
    ['markup for a puzzle', 400, body('{"tokens":"<script>alert(1)</script>","puzzleIdentifier":0,"segments":1}')],
    ['markup in a cell', 400, body('{"tokens":["<b>"],"puzzleIdentifier":0,"segments":1}')],
    ['fractions', 400, body('{"tokens":[1.5],"puzzleIdentifier":0,"segments":1}')],
    ['negative tokens', 400, body('{"tokens":[-1],"puzzleIdentifier":0,"segments":1}')],
    ['infinite tokens', 400, body('{"tokens":[1e999],"puzzleIdentifier":0,"segments":1}')],
    ['a further key', 400, body('{"tokens":[1],"puzzleIdentifier":0,"segments":1,"path":"/etc/passwd"}')],
    ['a prototype', 400, body('{"__proto__":{"tokens":[1]},"tokens":[1],"puzzleIdentifier":0,"segments":1}')],
    ['no segments', 400, body('{"tokens":[1],"puzzleIdentifier":0,"segments":0}')],
    ['a reload that says where', 400, { method: 'POST', target: '/api/reload', body: '{"dir":"/"}' }],
  ])('%s', async (_what, status, request) => {
    const reply = await sendRaw(viewer.port, rawRequest(viewer.port, request));
    expect(reply.status).toBe(status);
    expect(reply.head).toMatch(/x-content-type-options: nosniff/i);
    expect(reply.head).toMatch(/content-type: application\/json/i);
    // Nothing of the request comes back as something that a browser would run.
    expect(reply.body).not.toMatch(/<script|passwd"\s*:|root:/);
    expect((await get('/api/run')).status).toBe(200);
  });

  it.each<[string, unknown, RegExp]>([
    ['too few cells', { tokens: [1, 2], puzzleIdentifier: 0, segments: 1 }, /must have 16 cells, got 2/],
    ['too many cells', { tokens: [...blank, 1], puzzleIdentifier: 0, segments: 1 }, /must have 16 cells, got 17/],
    ['a token beyond', { tokens: [6, ...blank.slice(1)], puzzleIdentifier: 0, segments: 1 }, /token under 6, got 6/],
    ['an identifier beyond', { tokens: blank, puzzleIdentifier: 7, segments: 1 }, /identifier must be under 1, got 7/],
    ['endless segments', { tokens: blank, puzzleIdentifier: 0, segments: 2 ** 31 - 1 }, /at most 1024 segments/],
  ])('a puzzle that does not fit the model: %s', async (_what, request, message) => {
    const events = await solveEvents(request);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      type: 'failed',
      error: { code: 'HRM_ARGUMENT', message: expect.stringMatching(message) },
    });
  });

  it.each<[string, string]>([
    ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
    ['a header of 9 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(9216)}\r\n\r\n`],
    ['two lengths', 'POST /api/solve HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}'],
    [
      'length and chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a line break in a header', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\rX: y\r\n\r\n'],
    ['an address behind an at sign', 'GET @example.com/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'],
    ['HTTP 3.0', 'GET / HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n'],
  ])('%s ends the connection', async (_what, bytes) => {
    const { status } = await sendRaw(viewer.port, Buffer.from(bytes, 'latin1'));
    expect([0, 400, 403, 431]).toContain(status);
    expect((await get('/')).status).toBe(200);
  });

  it('two Hosts, of which one is right', async () => {
    const host = `127.0.0.1:${viewer.port}`;
    for (const hosts of [
      [host, 'evil.example'],
      ['evil.example', host],
    ]) {
      const bytes = `GET / HTTP/1.1\r\n${hosts.map((one) => `Host: ${one}\r\n`).join('')}Connection: close\r\n\r\n`;
      expect([400, 403]).toContain((await sendRaw(viewer.port, bytes)).status);
    }
  });

  it('a second request that is hidden in the body of a refused one', async () => {
    const inner = rawRequest(viewer.port, { target: '/api/run' });
    const bytes = rawRequest(viewer.port, {
      method: 'POST',
      target: '/nothing',
      body: inner,
      headers: { Connection: null },
    });
    const { head, body: rest } = await sendRaw(viewer.port, bytes);
    expect(head).toMatch(/^HTTP\/1\.1 404/);
    expect(rest).not.toContain('HTTP/1.1 200');
  });

  it('chunks without end, once they are too many', async () => {
    const head = rawRequest(viewer.port, solving({ headers: { 'Transfer-Encoding': 'chunked' } })).split(
      '\r\n\r\n',
    )[0]!;
    const chunk = `10000\r\n${'1'.repeat(0x10000)}\r\n`;
    const lines = head.split('\r\n').filter((line) => !line.startsWith('Content-Length'));
    expect([0, 413]).toContain((await sendRaw(viewer.port, `${lines.join('\r\n')}\r\n\r\n${chunk.repeat(6)}`)).status);
  });

  it('requests that do not come to an end', async () => {
    const slow = await viewRun(dir, { requestTimeoutMs: 200 });
    try {
      for (const bytes of [
        `GET / HTTP/1.1\r\nHost: 127.0.0.1:${slow.port}\r\nX-Slow: `,
        `POST /api/solve HTTP/1.1\r\nHost: 127.0.0.1:${slow.port}\r\nOrigin: http://127.0.0.1:${slow.port}\r\n` +
          'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"tokens":[1,',
      ]) {
        const started = performance.now();
        expect([0, 408]).toContain((await sendRaw(slow.port, bytes, 10_000)).status);
        expect(performance.now() - started).toBeLessThan(2500);
      }
    } finally {
      await slow.close();
    }
  });

  it('other machines: it listens on 127.0.0.1 alone', async () => {
    // The whole of 127/8 is this machine, and only one address of it is served.
    const socket = connect(viewer.port, '127.0.0.2');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  it('a port that is taken, a page that was not built, a run that is not there', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(viewRun(dir, { port })).rejects.toThrow(/port \d+ must be free on 127.0.0.1, got EADDRINUSE/);
    other.close();
    await expect(viewRun(dir, { pageDir: root })).rejects.toThrow(/index.html must be there.*npm run build/);
    await expect(viewRun(path.join(root, 'nothing'))).rejects.toThrow(/must be the directory of a run/);
    await expect(viewRun(path.join(pageDir, 'index.html'))).rejects.toThrow(/must be the directory of a run/);
  });
});
