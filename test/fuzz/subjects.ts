/** Every function, constructor and method of the package with arguments that it nearly accepts. */
import * as api from '../../ts';
import { arcSubjects } from './subjects_arc';
import { dataSubjects } from './subjects_data';
import { mazeSubjects } from './subjects_maze';
import { modelSubjects } from './subjects_model';
import { tensorSubjects } from './subjects_tensor';
import { type Subjects } from './subject';

let all: Promise<Subjects> | undefined;

export function subjects(): Promise<Subjects> {
  return (all ??= Promise.all([dataSubjects(), arcSubjects()]).then(([data, arc]) => ({
    ...tensorSubjects(),
    ...modelSubjects(),
    ...mazeSubjects(),
    ...data,
    ...arc,
  })));
}

/** What the package exports and `subjects` must name: functions, classes, and the methods of classes. */
export function exportedNames(): string[] {
  return Object.entries(api).flatMap(([name, item]) => {
    if (typeof item !== 'function') return [];
    if (!/^class\b/.test(Function.prototype.toString.call(item))) return [name];
    // Their constructors take what Error takes.
    if (item === api.HrmError || item.prototype instanceof api.HrmError) return [];
    const members = [
      ...Object.getOwnPropertyNames(item.prototype),
      ...Object.getOwnPropertyNames(item).filter((key) => !['length', 'name', 'prototype'].includes(key)),
    ];
    return [name, ...members.filter((key) => key !== 'constructor').map((key) => `${name}.${key}`)];
  });
}
