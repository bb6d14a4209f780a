/** The JSON body of a request, bounded in size while it comes in. */
import type { IncomingMessage } from 'node:http';
import { FormatError } from '../error';
import { type JsonValue, parseJson } from '../io/strict_json';
import type { Refusal } from './guard';

/** A puzzle of a thousand cells is 4 KiB. */
export const MAX_BODY_BYTES = 2 ** 18;
/** An object with an array of numbers. */
const MAX_DEPTH = 3;

/** A body that is refused. */
export class BodyError extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

const fail = (status: number, message: string): BodyError => new BodyError({ status, message });

/** @throws BodyError for what is no JSON in UTF-8 of at most {@link MAX_BODY_BYTES} */
export async function readBody(request: IncomingMessage): Promise<JsonValue> {
  const { headers } = request;
  if (!/^application\/json(; ?charset=utf-8)?$/i.test(headers['content-type'] ?? '')) {
    throw fail(415, 'the Content-Type must be application/json');
  }
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw fail(415, 'a body must not be compressed');
  const tooLarge = (): BodyError => fail(413, `a body must have at most ${MAX_BODY_BYTES} bytes`);
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let nBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    nBytes += chunk.length;
    if (nBytes > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return parseJson(Buffer.concat(chunks), 'the body', { maxBytes: MAX_BODY_BYTES, maxDepth: MAX_DEPTH });
  } catch (error) {
    if (error instanceof FormatError) throw fail(400, error.message);
    throw error;
  }
}
