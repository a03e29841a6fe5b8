/** Longest delay of a Node timer. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Lets a loop sleep until something happens. What happens while it is awake is seen by its next look. */
export class Wakeable {
  private resolve: (() => void) | undefined;

  wake(): void {
    this.resolve?.();
  }

  /** @param deadlineUnixMs  when to wake anyway; Infinity for never */
  async untilWoken(deadlineUnixMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.resolve = resolve;
      if (deadlineUnixMs < Infinity) {
        timer = setTimeout(resolve, Math.min(LONGEST_DELAY_MS, Math.max(1, deadlineUnixMs - Date.now())));
      }
    });
    clearTimeout(timer);
    this.resolve = undefined;
  }
}
