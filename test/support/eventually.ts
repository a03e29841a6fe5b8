const POLL_MS = 20;

/** Polls until `check` gives a value; a state of another process cannot be awaited otherwise. */
export async function eventually<T>(
  check: () => Promise<T | undefined> | T | undefined,
  withinMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
