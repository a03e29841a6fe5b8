/** Lets acts happen one after the other, in the order in which they were asked for; one that fails holds up no other. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** @returns what the act returns @throws what it throws */
  take<Answer>(act: () => Promise<Answer>): Promise<Answer> {
    const turn = this.last.then(act);
    this.last = turn.catch(() => undefined); // whoever waits for it is told
    return turn;
  }
}
