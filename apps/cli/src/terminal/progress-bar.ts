/** How far a piece of work is, in bytes. */
export interface Progress {
  readonly bytesDone: number;
  /** Undefined while the size is not known. */
  readonly bytesTotal?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  readonly etaSeconds?: number | undefined;
}

const BAR_WIDTH = 28;
/** Redraws in a terminal, and lines elsewhere (a log file, CI). */
const REDRAW_MS = 100;
const LINE_MS = 5_000;

/** A bar that redraws itself in a terminal and prints a line now and then elsewhere. */
export class ProgressBar {
  private lastMs = 0;
  private hasDrawn = false;
  private drawnBytes: number | undefined;

  constructor(
    private readonly label: string,
    private readonly output: NodeJS.WriteStream = process.stderr,
  ) {}

  update(progress: Progress): void {
    const nowMs = performance.now();
    if (this.hasDrawn && nowMs - this.lastMs < (this.output.isTTY ? REDRAW_MS : LINE_MS)) return;
    this.lastMs = nowMs;
    this.hasDrawn = true;
    this.drawnBytes = progress.bytesDone;
    this.output.write(this.output.isTTY ? `\r\x1b[K${this.line(progress)}` : `${this.line(progress)}\n`);
  }

  /** Ends the bar, if it was ever drawn, with a last state unless that stands there already. */
  end(progress?: Progress): void {
    if (!this.hasDrawn) return;
    if (progress && progress.bytesDone !== this.drawnBytes)
      this.output.write(this.output.isTTY ? `\r\x1b[K${this.line(progress)}` : `${this.line(progress)}\n`);
    if (this.output.isTTY) this.output.write('\n');
  }

  private line({ bytesDone, bytesTotal, bytesPerSecond, etaSeconds }: Progress): string {
    const rate = bytesPerSecond ? `  ${formatBytes(bytesPerSecond)}/s` : '';
    if (!bytesTotal) return `${this.label}  ${formatBytes(bytesDone)}${rate}`;
    const share = Math.min(1, bytesDone / bytesTotal);
    const full = Math.round(share * BAR_WIDTH);
    const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`;
    const eta = etaSeconds !== undefined && share < 1 ? `  ${formatDuration(etaSeconds)} left` : '';
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    return `${this.label}  ${bar} ${percent}  ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}${rate}${eta}`;
  }
}

/** `94.1 MB`; decimal units, as download sizes are given. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function formatDuration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
