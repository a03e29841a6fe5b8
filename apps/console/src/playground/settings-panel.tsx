import { Field } from '../widgets/field.js';
import { MAX_TOKENS, TEMPERATURE } from './chat-settings.js';
import type { ChatSettingsState } from './use-chat-settings.js';

/** What the next answer is asked with. */
export function SettingsPanel({ form, wrong, chatModels, change }: ChatSettingsState) {
  const model = chatModels.find(({ id }) => id === form.model);
  return (
    <section class="settings stack" aria-label="Settings">
      <Field
        label="Model"
        hint={model && `${contextOf(model.max_model_len)}${model.parent ? `, alias of ${model.parent}` : ''}`}
      >
        {(props) => (
          <select
            {...props}
            value={form.model}
            disabled={chatModels.length === 0}
            onChange={(event) => change({ model: event.currentTarget.value })}
          >
            {chatModels.length === 0 && <option value="">None is ready</option>}
            {chatModels.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="System prompt">
        {(props) => (
          <textarea
            {...props}
            rows={4}
            placeholder="You are a helpful assistant."
            value={form.systemPrompt}
            onInput={(event) => change({ systemPrompt: event.currentTarget.value })}
          />
        )}
      </Field>
      <div class="pair">
        <Field label="Temperature" wrong={wrong.temperature} hint="0 to 2; 0 is greedy">
          {(props) => (
            <input
              {...props}
              type="number"
              inputMode="decimal"
              min={TEMPERATURE.min}
              max={TEMPERATURE.max}
              step="0.1"
              placeholder="default"
              value={form.temperature}
              onInput={(event) => change({ temperature: event.currentTarget.value })}
            />
          )}
        </Field>
        <Field label="Max tokens" wrong={wrong.maxTokens} hint="Of the answer">
          {(props) => (
            <input
              {...props}
              type="number"
              inputMode="numeric"
              min={MAX_TOKENS.min}
              step="1"
              placeholder="default"
              value={form.maxTokens}
              onInput={(event) => change({ maxTokens: event.currentTarget.value })}
            />
          )}
        </Field>
      </div>
    </section>
  );
}

function contextOf(tokens: number): string {
  return `${tokens.toLocaleString('en')} tokens of context`;
}
