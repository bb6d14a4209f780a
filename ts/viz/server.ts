/** The viewer's server: one page, its files from memory, and what it asks about one run; on 127.0.0.1 alone. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { ArgumentError, FileError, HrmError } from '../error';
import { type Device, deviceCode } from '../native/device';
import { requireInteger, requirePath } from '../io/arguments';
import { CheckpointStore } from '../io/checkpoint_store';
import { CHECKPOINTS_DIR } from '../train/load_model';
import { METRICS_FILE } from '../train/metrics';
import { type Asset, loadAssets } from './assets';
import { BodyError, readBody } from './body';
import { admit, type Refusal, type Route } from './guard';
import { JobError } from './jobs';
import { ModelHost } from './model_host';
import { MetricsTail } from './metrics_tail';
import type { Failure, MetricsReply, ModelState, RunInfo, SolveEvent } from './protocol';

export interface ViewerOptions {
  /** Directory of a run or of a checkpoint. */
  readonly dir: string;
  /** Directory of the built page. */
  readonly pageDir: string;
  /** 0 = any that is free. */
  readonly port: number;
  /** Where the model works; default 'cpu'. */
  readonly device?: Device;
  /** Longest time a request may take to arrive. */
  readonly requestTimeoutMs?: number;
}

/** A server that runs. */
export interface Viewer {
  readonly url: string;
  readonly port: number;
  /** Ends all connections and the model's thread. */
  readonly close: () => Promise<void>;
}

interface ViewerRoute extends Route {
  readonly answer: (request: IncomingMessage, response: ServerResponse, query: ReadonlyMap<string, number>) => unknown;
}

const HOST = '127.0.0.1';
const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 8192;
const REQUEST_TIMEOUT_MS = 10_000;
/** Lines of metrics in one answer. */
const MAX_LINES = 4000;

/** Nothing but this server's own files, no frames around it, no guessing of types, nothing kept. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

const count = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const solveSchema = z.strictObject({
  tokens: z
    .array(count)
    .min(1)
    .max(2 ** 16),
  puzzleIdentifier: count,
  segments: count.min(1),
});

function failureOf(error: unknown): Failure {
  if (error instanceof JobError) return error.failure;
  if (error instanceof HrmError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

const STATUS: Readonly<Record<string, number>> = { HRM_ARGUMENT: 400, BUSY: 503 };

class RunServer {
  readonly #host: ModelHost;
  readonly #tail: MetricsTail;
  readonly #store: CheckpointStore;
  readonly #routes: ReadonlyMap<string, ViewerRoute>;
  #state: Promise<ModelState> | undefined;
  port = 0;

  constructor(private readonly options: ViewerOptions) {
    const { dir, pageDir, device = 'cpu' } = options;
    this.#host = new ModelHost(dir, device);
    this.#tail = new MetricsTail(path.join(dir, METRICS_FILE));
    this.#store = new CheckpointStore(path.join(dir, CHECKPOINTS_DIR));
    const files = [...loadAssets(pageDir)].map(([url, asset]): [string, ViewerRoute] => [
      url,
      { method: 'GET', isDocument: url === '/', answer: (_request, response) => sendAsset(response, asset) },
    ]);
    this.#routes = new Map<string, ViewerRoute>([
      ...files,
      ['/api/run', { method: 'GET', answer: (_, response) => this.#run(response) }],
      ['/api/reload', { method: 'POST', answer: (request, response) => this.#reload(request, response) }],
      [
        '/api/metrics',
        {
          method: 'GET',
          query: ['from', 'generation'],
          answer: (_, response, query) => sendJson(response, this.#metrics(query)),
        },
      ],
      [
        '/api/puzzle',
        {
          method: 'GET',
          query: ['index'],
          answer: async (_, response, query) =>
            sendJson(response, await this.#host.run('puzzle', { index: query.get('index') ?? 0 })),
        },
      ],
      ['/api/solve', { method: 'POST', answer: (request, response) => this.#solve(request, response) }],
    ]);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const admitted = admit(request, this.port, this.#routes);
    if ('status' in admitted) {
      refuse(response, admitted);
      return;
    }
    try {
      await admitted.route.answer(request, response, admitted.query);
    } catch (error) {
      if (error instanceof BodyError) refuse(response, error.refusal);
      else if (response.headersSent) response.destroy();
      else {
        const failure = failureOf(error);
        sendJson(response, { error: failure }, STATUS[failure.code] ?? 500);
      }
    }
  }

  close(): Promise<void> {
    return this.#host.close();
  }

  /** The model is loaded with the first request. */
  async #run(response: ServerResponse): Promise<void> {
    this.#state ??= this.#host.run('load', null);
    let state: ModelState | undefined;
    try {
      state = await this.#state;
    } finally {
      // A model that could not be loaded may be there the next time.
      if (state?.ok !== true) this.#state = undefined;
    }
    const full = path.resolve(this.options.dir);
    sendJson(response, { name: path.basename(full), path: full, state } satisfies RunInfo);
  }

  async #reload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!z.strictObject({}).safeParse(await readBody(request)).success) {
      throw new ArgumentError('reload: the body must be {}');
    }
    this.#state = undefined;
    await this.#run(response);
  }

  #metrics(query: ReadonlyMap<string, number>): MetricsReply {
    const tail = this.#tail;
    tail.read();
    const from = query.get('generation') === tail.generation ? (query.get('from') ?? 0) : 0;
    return {
      generation: tail.generation,
      from,
      lines: tail.lines.slice(from, from + MAX_LINES),
      total: tail.lines.length,
      nBad: tail.nBad,
      newestStep: this.#store.newestStep(),
    };
  }

  async #solve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parsed = solveSchema.safeParse(await readBody(request));
    if (!parsed.success) {
      const { path: where, message } = parsed.error.issues[0]!;
      throw new ArgumentError(`solve: ${where.map(String).join('.') || 'the body'}: ${message}`);
    }
    if (this.#host.isFull) {
      throw new JobError({ code: 'BUSY', message: 'too many requests wait for the model; try again later' });
    }
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    response.setHeader('Content-Type', 'application/x-ndjson; charset=utf-8');
    const say = (event: SolveEvent): void => void response.write(`${JSON.stringify(event)}\n`);
    const { ahead } = this.#host;
    if (ahead > 0) say({ type: 'waiting', ahead });
    try {
      await this.#host.run('solve', parsed.data, { onEvent: say, signal: gone.signal });
    } catch (error) {
      say({ type: 'failed', error: failureOf(error) });
    }
    response.end();
  }
}

function sendAsset(response: ServerResponse, { type, bytes }: Asset): void {
  response.setHeader('Content-Type', type);
  response.end(bytes);
}

function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(value));
}

/** Nothing of the request is repeated, and what is left of it is not read. */
function refuse(response: ServerResponse, { status, message, allow }: Refusal): void {
  response.shouldKeepAlive = false;
  if (allow !== undefined) response.setHeader('Allow', allow);
  sendJson(response, { error: { code: 'REFUSED', message } }, status);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const hint = cause.code === 'EADDRINUSE' ? 'it is in use; leave --port out for a free one' : cause.message;
      reject(new FileError(`view: port ${port} must be free on ${HOST}, got ${cause.code}; ${hint}`, { cause }));
    });
    server.listen({ port, host: HOST, exclusive: true }, resolve);
  });
}

/**
 * Starts the server for one run.
 * @throws FileError where the directory or the built page is not there, or the port is taken
 */
export async function startViewer(options: ViewerOptions): Promise<Viewer> {
  const dir = requirePath('view', 'dir', options.dir);
  const port = requireInteger('view', 'port', options.port, 0, 65535);
  deviceCode(options.device ?? 'cpu', 'view');
  if (!existsSync(dir) || !statSync(dir).isDirectory()) {
    throw new FileError(`view: ${dir} must be the directory of a run; hrm train makes one`);
  }
  const run = new RunServer(options);
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, requestTimeoutMs / 2),
    keepAliveTimeout: 5000,
    // Missing Hosts get the same answer as wrong ones.
    requireHostHeader: false,
  });
  // A request that expects something is one like the others: Node would answer it by itself.
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) {
    server.on(event, (request: IncomingMessage, response: ServerResponse) => void run.answer(request, response));
  }
  server.maxConnections = MAX_CONNECTIONS;
  // CONNECT and what is no HTTP end the connection.
  server.on('clientError', (_error, socket) => socket.destroy());
  await listen(server, port);
  run.port = (server.address() as AddressInfo).port;
  return {
    url: `http://${HOST}:${run.port}/`,
    port: run.port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await Promise.all([closed, run.close()]);
    },
  };
}
