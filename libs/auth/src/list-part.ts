import { AdministrationError } from './errors.js';

/** Which part of a list is asked for. */
export interface ListPart {
  /** Absent: as many as there are. */
  readonly limit?: number;
  /** `id` of the last entry of the part before. Absent: from the first one on. */
  readonly after?: string;
}

/** For a part after an entry that is not there. */
export function noEntry(after: string): AdministrationError {
  return new AdministrationError('not-found', `there is no entry '${after}'`, 'after');
}
