"""The rows of a run: written after each one, kept from an earlier run on the same machine and commit."""

import datetime
import json
import os
import statistics

FORMAT = 1
# Where these agree, a row measured before still stands.
SAME = ('gpu', 'driver', 'commit', 'versions', 'rehearsal')
# Of sources that nothing names; two of it need not be the same.
UNKNOWN_COMMIT = 'unknown'


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def summary(answer):
    """Median, spread (half the distance between the quartiles, relative to the median), best and count of the samples."""
    samples = answer['samples']
    middle = statistics.median(samples)
    lower, upper = middle, middle
    if len(samples) > 1:
        lower, _, upper = statistics.quantiles(samples, n=4, method='inclusive')
    return {
        'unit': answer['unit'],
        'better': answer['better'],
        'median': middle,
        'spread': (upper - lower) / 2 / abs(middle) if middle else 0.0,
        'best': max(samples) if answer['better'] == 'higher' else min(samples),
        'repeats': len(samples),
        'share': None,
        'details': answer.get('details', {}),
    }


def joined(first, second):
    """Two answers to one row as one; `drift` says by how much the second's median differs from the first's."""
    before, after = statistics.median(first['samples']), statistics.median(second['samples'])
    details = {**second.get('details', {}), 'turns': 2, 'drift': round(after / before - 1, 4) if before else 0.0}
    return {**second, 'samples': [*first['samples'], *second['samples']], 'details': details}


class Results:
    def __init__(self, path, description, again=False, say=print):
        self.path, self.description, self.rows = path, description, {}
        if again or not os.path.exists(path):
            return
        with open(path, encoding='utf-8') as file:
            before = json.load(file)
        differing = [key for key in SAME if before['machine'].get(key) != description.get(key)]
        if description.get('commit') == UNKNOWN_COMMIT and 'commit' not in differing:
            differing.append('commit')
        if before.get('format') != FORMAT or differing:
            say(f"{path}: from another {' and '.join(differing) or 'format'}, so its rows are measured again")
            return
        self.rows = {row['row']: row for row in before['rows']}

    def has(self, row):
        return row in self.rows and self.rows[row]['status'] in ('measured', 'unsupported')

    def add(self, program, answer, seconds):
        row = {'row': answer['row'], 'program': program, 'status': answer['status'], 'date': now()}
        row['wallSeconds'] = round(seconds, 1)
        if answer['status'] == 'measured':
            try:
                row.update(summary(answer))
            except (KeyError, TypeError, statistics.StatisticsError) as error:
                row.update(status='failed', error=f'an answer without {error}')
        else:
            row['error'] = answer.get('error', answer['status'])
        self.rows[row['row']] = row
        self.save()

    def as_json(self):
        return {'format': FORMAT, 'machine': self.description, 'rows': list(self.rows.values())}

    def save(self):
        """Aside, then renamed: a run that is cut off leaves a whole file."""
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        aside = f'{self.path}.{os.getpid()}'
        with open(aside, 'w', encoding='utf-8') as file:
            json.dump(self.as_json(), file, indent=1)
            file.write('\n')
        os.replace(aside, self.path)
