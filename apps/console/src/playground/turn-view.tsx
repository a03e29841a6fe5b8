import { CopyButton } from '../widgets/copy-button.js';
import { Icon } from '../widgets/icon.js';
import { ProblemNotice } from '../widgets/problem-notice.js';
import type { AnswerFigures } from './answer-clock.js';
import type { Answer, Turn } from './conversation.js';
import { figureWords } from './figure-words.js';
import { Markdown } from './markdown.js';

/** One line of the conversation. @param onRetry  of the last answer */
export function TurnView({ turn, onRetry }: { readonly turn: Turn; readonly onRetry?: () => void }) {
  if (turn.role === 'user') {
    return (
      <article class="turn question" aria-label="You">
        <p>{turn.text}</p>
      </article>
    );
  }
  return <AnswerView answer={turn} onRetry={onRetry} />;
}

function AnswerView({ answer, onRetry }: { readonly answer: Answer; readonly onRetry?: () => void }) {
  const { state, text, model, problem, figures } = answer;
  const isOver = state !== 'waiting' && state !== 'streaming';
  return (
    <article class="turn answer" data-state={state} aria-label={`Answer of ${model}`} aria-busy={!isOver}>
      <header class="answer-head">
        <span class="answer-model">{model}</span>
        {state === 'waiting' && <span class="badge">waiting</span>}
        {state === 'streaming' && <span class="badge live">streaming</span>}
        {state === 'stopped' && <span class="badge">stopped</span>}
      </header>
      {state === 'waiting' ? <Dots /> : text !== '' && <Markdown text={text} />}
      {problem !== undefined && <ProblemNotice problem={problem} onRetry={onRetry} />}
      {figures !== undefined && figures.completionTokens > 0 && <Figures figures={figures} />}
      {isOver && (
        <div class="answer-actions">
          {text !== '' && <CopyButton text={text} />}
          {onRetry !== undefined && problem === undefined && (
            <button type="button" class="quiet" onClick={onRetry}>
              <Icon name="retry" /> Retry
            </button>
          )}
        </div>
      )}
    </article>
  );
}

function Figures({ figures }: { readonly figures: AnswerFigures }) {
  return (
    <dl class="figures">
      {figureWords(figures).map(({ name, value, title }) => (
        <div key={name} title={title}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Dots() {
  return (
    <div class="dots" aria-hidden="true">
      <span />
      <span />
      <span />
    </div>
  );
}
