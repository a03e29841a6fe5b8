import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { formatBytes, ProgressBar } from './progress-bar.js';
import { formatTable } from './table.js';

describe('ProgressBar', () => {
  it('given progress outside a terminal, when drawn, then bytes, rate and time left stand in one line', () => {
    const output = new PassThrough() as unknown as NodeJS.WriteStream & PassThrough;
    const bar = new ProgressBar('model', output);
    bar.update({ bytesDone: 25_000_000, bytesTotal: 100_000_000, bytesPerSecond: 5_000_000, etaSeconds: 15 });
    bar.update({ bytesDone: 26_000_000, bytesTotal: 100_000_000 }); // too soon for another line
    bar.end({ bytesDone: 100_000_000, bytesTotal: 100_000_000 });
    expect(String(output.read())).toBe(
      'model  ███████░░░░░░░░░░░░░░░░░░░░░  25 %  25.0 MB of 100.0 MB  5.0 MB/s  15 s left\n' +
        'model  ████████████████████████████ 100 %  100.0 MB of 100.0 MB\n',
    );
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [93_500_000, '93.5 MB'],
  ])('given %d, when formatted, then %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatTable', () => {
  it('given texts and numbers, when formatted, then numbers stand to the right', () => {
    expect(
      formatTable(
        ['name', 'n'],
        [
          ['a', 1],
          ['long', 100],
        ],
      ),
    ).toBe('name    n\na       1\nlong  100');
  });
});
