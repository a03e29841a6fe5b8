import type { ProblemFacts } from '../api/problem.js';
import { Icon } from './icon.js';

/** What most people do next, by the code. */
const ADVICE: Readonly<Record<string, string>> = {
  invalid_api_key: 'Enter a key that is good, at the top right.',
  insufficient_permissions: 'Ask an operator for a key with the scope or the role it takes.',
  network: 'The page tries again by itself where it can.',
};

/** An error of the API with all that helps to find its cause. */
export function ProblemNotice({ problem, onRetry }: { readonly problem: ProblemFacts; onRetry?: () => void }) {
  const { message, code, status, param, requestId, retryAfterS } = problem;
  const advice = ADVICE[code];
  return (
    <div class="problem" role="alert">
      <Icon name="warning" />
      <div>
        <p class="problem-message">{message}</p>
        {advice !== undefined && <p>{advice}</p>}
        {retryAfterS !== undefined && <p>Worth another try in {retryAfterS} s.</p>}
        <ul class="facts">
          <li>
            <code>{code}</code>
          </li>
          {status !== undefined && <li>HTTP {status}</li>}
          {param !== undefined && (
            <li>
              parameter <code>{param}</code>
            </li>
          )}
          {requestId !== undefined && (
            <li>
              request <code>{requestId}</code>
            </li>
          )}
        </ul>
        {onRetry !== undefined && (
          <button type="button" onClick={onRetry}>
            <Icon name="retry" /> Try again
          </button>
        )}
      </div>
    </div>
  );
}
