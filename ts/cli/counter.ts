/** Runs `body` with a line on the terminal that says what it is at and how far; the line goes when it ends. */
export async function withCounter<R>(
  body: (onProgress: (what: string, rows: number) => void) => Promise<R>,
): Promise<R> {
  const { stderr } = process;
  try {
    return await body((what, rows) => {
      if (stderr.isTTY) stderr.write(`\r${what} ${rows}\u001b[K`);
    });
  } finally {
    if (stderr.isTTY) stderr.write('\r\u001b[K');
  }
}
