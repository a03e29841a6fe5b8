import { readFileSync } from 'node:fs';

/** Bytes that a process has in memory: at most so far, now, of its own, and mapped from files. Linux only. */
export function residentSet(processId) {
  const status = readFileSync(`/proc/${processId}/status`, 'utf8');
  const bytes = (field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
  return { peakBytes: bytes('VmHWM'), bytes: bytes('VmRSS'), ownBytes: bytes('RssAnon'), fileBytes: bytes('RssFile') };
}
