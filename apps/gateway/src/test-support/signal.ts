/** Lets a test wait for a state instead of for a time. */
export class Signal {
  private waiters: (() => void)[] = [];

  fire(): void {
    for (const waiter of this.waiters.splice(0)) waiter();
  }

  async until(check: () => boolean): Promise<void> {
    while (!check()) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }
}
