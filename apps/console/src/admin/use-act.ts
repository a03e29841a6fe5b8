import { useState } from 'preact/hooks';
import { type Problem, toProblem } from '../api/problem.js';

/** Something that is done once at a time, and may fail. */
export function useAct(act: () => Promise<void>): { run(): void; isRunning: boolean; problem: Problem | undefined } {
  const [isRunning, setRunning] = useState(false);
  const [problem, setProblem] = useState<Problem | undefined>(undefined);
  const run = () => {
    if (isRunning) return;
    setRunning(true);
    setProblem(undefined);
    act()
      .catch((error: unknown) => setProblem(toProblem(error)))
      .finally(() => setRunning(false));
  };
  return { run, isRunning, problem };
}
