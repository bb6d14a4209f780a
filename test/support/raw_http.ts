/** Requests byte for byte, as no client library would send them. */
import { connect } from 'node:net';

export interface RawReply {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends bytes and reads until the server ends the connection, or for `timeoutMs`. */
export function sendRaw(port: number, bytes: string | Buffer, timeoutMs = 3000): Promise<RawReply> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(chunks).toString('latin1');
      const [head = '', ...body] = text.split('\r\n\r\n');
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body: body.join('\r\n\r\n') });
    };
    const timer = setTimeout(end, timeoutMs);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A server that refuses while bytes still come in may reset the connection.
    socket.on('error', end);
    socket.on('close', end);
    socket.write(bytes);
  });
}

export interface RawRequest {
  readonly method?: string;
  readonly target?: string;
  /** Null leaves a header out; an array sends it several times. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly body?: string;
}

/** The bytes of a request that is right but for what is given. */
export function rawRequest(port: number, { method = 'GET', target = '/', headers = {}, body }: RawRequest): string {
  const isPost = method === 'POST';
  const all: Record<string, string | readonly string[] | null> = {
    Host: `127.0.0.1:${port}`,
    Connection: 'close',
    ...(isPost ? { Origin: `http://127.0.0.1:${port}`, 'Content-Type': 'application/json' } : {}),
    ...(body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => `${name}: ${one}`),
  );
  return `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}
