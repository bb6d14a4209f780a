"""A program that answers rows: names on its stdin, one JSON object a line on its stdout, its words on stderr.

What a row does to its program is that row's misfortune alone: one that dies, hangs or answers nonsense is ended, and the
next row starts a fresh one.
"""

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading

CLOSE_SECONDS = 20


class Program:
    def __init__(self, name, command, cwd):
        self.name, self.command, self.cwd = name, command, cwd
        self.child = self.lines = self.words = self.reader = None

    def rows(self):
        """[{row, essential, seconds}]. @raises RuntimeError when the program cannot say"""
        try:
            result = subprocess.run(
                [*self.command, '--list'], cwd=self.cwd, capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(str(error)) from error
        if result.returncode != 0:
            raise RuntimeError(f'exit {result.returncode}: {last_line(result.stderr)}')
        return [json.loads(line) for line in result.stdout.splitlines() if line.strip()]

    def ask(self, row, timeout_seconds):
        """The answer to a row, of status `measured`, `unsupported`, `no device` or `failed`; never raises."""
        try:
            if self.child is None:
                self.start()
            self.child.stdin.write(row + '\n')
            self.child.stdin.flush()
            line = self.lines.get(timeout=timeout_seconds)
        except queue.Empty:
            return self.give_up(row, f'no answer in {timeout_seconds:.0f} s')
        except OSError as error:
            return self.give_up(row, f'{type(error).__name__}: {error}')
        if line is None:
            return self.give_up(row, 'the program died')
        try:
            answer = json.loads(line)
            if answer['row'] != row or answer['status'] not in ('measured', 'unsupported', 'no device', 'failed'):
                raise ValueError('not an answer to this row')
        except (ValueError, KeyError, TypeError):
            return self.give_up(row, f'answered {line.strip()[:200]!r}')
        if answer['status'] == 'failed':
            # An error of the device stays with the process that met it.
            self.close()
        return answer

    def start(self):
        words = tempfile.TemporaryFile('w+', encoding='utf-8', errors='replace')
        try:
            self.child = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
                start_new_session=True,
            )
        except OSError:
            words.close()
            raise
        self.words = words
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=forward, args=(self.child.stdout, self.lines), daemon=True)
        self.reader.start()

    def give_up(self, row, reason):
        code = None
        if self.child is not None:
            try:
                # What died on its own says how; what hangs is ended.
                code = self.child.wait(timeout=1)
            except subprocess.TimeoutExpired:
                end_group(self.child)
            self.words.seek(0)
            said = last_line(self.words.read())
            reason += '' if code is None else f', exit {code}'
            reason += f': {said}' if said else ''
            self.close()
        return {'row': row, 'status': 'failed', 'error': reason}

    def close(self):
        """Ends the process, if there is one; the next row starts another."""
        if self.child is None:
            return
        child, self.child = self.child, None
        try:
            child.stdin.close()
        except OSError:
            pass  # Its end of the pipe is gone, as it is.
        try:
            child.wait(timeout=CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            pass  # Ended with its helpers, next.
        end_group(child)
        # A helper that left the group may hold the pipe open for ever; then the reader, a daemon, is left to it.
        self.reader.join(timeout=1)
        if not self.reader.is_alive():
            child.stdout.close()
        self.words.close()


def end_group(child):
    """The process, if it still runs, and those it started and left, compilers for example."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # All have ended.
    child.wait()


def forward(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(None)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ''
