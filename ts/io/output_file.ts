import * as fs from 'node:fs';
import { MAX_TRANSFER_BYTES, onFile } from './files';

/** A new file that is written piece by piece; `finish` forces it to the disk, `close` may come at any time. */
export class OutputFile implements Disposable {
  private fd: number | undefined;

  /** @throws FileError when the file exists or cannot be made */
  constructor(
    private readonly op: string,
    readonly path: string,
  ) {
    this.fd = onFile(op, path, 'create', () => fs.openSync(path, 'wx'));
  }

  append(bytes: Uint8Array): void {
    const fd = this.fd!;
    for (let done = 0; done < bytes.length;) {
      const length = Math.min(bytes.length - done, MAX_TRANSFER_BYTES);
      done += onFile(this.op, this.path, 'write', () => fs.writeSync(fd, bytes, done, length));
    }
  }

  /** Forces what was written to the disk and closes the file. */
  finish(): void {
    const fd = this.fd!;
    onFile(this.op, this.path, 'sync', () => fs.fsyncSync(fd));
    this.close();
  }

  /** Closing twice is fine. */
  close(): void {
    const { fd } = this;
    this.fd = undefined;
    if (fd !== undefined) onFile(this.op, this.path, 'close', () => fs.closeSync(fd));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
